"""What damage does: bytes flipped in every file that a command writes, and every command killed, at seeded places."""
