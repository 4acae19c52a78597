"""What a judge's pass costs beside the bare one: sections of variants, timed in turn on the same model and items."""
