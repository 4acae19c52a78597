"""The small world that the *choose* job asks about, and which of all texts are held out."""

from hashlib import blake2b

#: Members of each kind; no word stands in two kinds.
KINDS: dict[str, tuple[str, ...]] = {
    name: tuple(members.split())
    for name, members in {
        "fruit": "pear apple plum grape lemon mango peach cherry banana melon fig lime",
        "metal": "iron gold silver copper tin zinc lead nickel steel bronze brass",
        "animal": "horse cow sheep goat pig lion tiger bear wolf fox deer camel rabbit",
        "bird": "eagle owl crow duck goose robin swan hawk parrot raven sparrow",
        "fish": "salmon trout tuna cod shark eel carp herring perch sardine",
        "colour": "red blue green yellow brown purple pink white black grey",
        "tool": "hammer saw drill wrench pliers chisel axe shovel rake spade",
        "vehicle": "car bus train truck boat ship plane bicycle tram wagon ferry",
        "body part": "arm leg hand foot nose ear knee elbow shoulder finger chin",
        "garment": "shirt coat hat glove sock scarf dress skirt boot belt jacket",
        "furniture": "table chair bed sofa desk shelf bench stool wardrobe cupboard",
        "vegetable": "carrot potato onion cabbage spinach celery leek turnip radish pea",
        "instrument": "piano violin flute guitar drum trumpet harp cello organ banjo",
        "sport": "tennis football hockey golf rugby boxing rowing cricket judo fencing",
        "weather": "rain snow wind fog hail storm thunder frost sleet breeze",
        "drink": "water milk tea coffee juice wine beer cocoa cider lemonade",
        "building": "house church school castle tower barn hotel library palace museum",
        "insect": "ant bee wasp fly beetle moth butterfly locust mosquito flea",
        "flower": "rose tulip daisy lily violet orchid poppy iris sunflower daffodil",
        "job": "baker farmer nurse teacher doctor pilot sailor lawyer painter tailor",
    }.items()
}
#: Words that may stand before an option's word and say nothing about it.
DECOR = ("the", "a certain", "that old", "some new", "this", "one small", "my", "any plain")
#: Training never uses seeds from here on.
HELD_OUT_SEED = 1_000_000
_HELD_OUT_ONE_IN = 10


def _pairs(listed: str) -> dict[str, str]:
    return dict(pair.split(":") for pair in listed.split())


#: Capital of each country.
CAPITALS: dict[str, str] = _pairs(
    "France:Paris Spain:Madrid Italy:Rome Germany:Berlin Japan:Tokyo China:Beijing Egypt:Cairo Greece:Athens "
    "Portugal:Lisbon Austria:Vienna Norway:Oslo Sweden:Stockholm Finland:Helsinki Denmark:Copenhagen "
    "Poland:Warsaw Hungary:Budapest Ireland:Dublin Russia:Moscow Turkey:Ankara Cuba:Havana Peru:Lima "
    "Chile:Santiago Kenya:Nairobi Iran:Tehran Iraq:Baghdad India:Delhi Canada:Ottawa Belgium:Brussels"
)
#: Opposites, asked in both directions.
OPPOSITES: dict[str, str] = _pairs(
    "hot:cold big:small up:down wet:dry old:young fast:slow hard:soft day:night open:shut full:empty high:low "
    "long:short light:dark good:bad rich:poor early:late left:right near:far strong:weak happy:sad thick:thin "
    "loud:quiet sweet:sour first:last begin:end"
)
#: Young of each animal.
YOUNG: dict[str, str] = _pairs(
    "dog:puppy cat:kitten cow:calf sheep:lamb horse:foal goat:kid pig:piglet duck:duckling bear:cub hen:chick "
    "frog:tadpole goose:gosling deer:fawn swan:cygnet"
)
#: Every word that the named-word task draws from.
ALL_WORDS: tuple[str, ...] = tuple(
    sorted({w for ws in KINDS.values() for w in ws} | set(CAPITALS.values()) | set(OPPOSITES) | set(YOUNG.values()))
)


def is_held_out(text: str) -> bool:
    """Say whether a problem's text is reserved for held-out items (one in ten, by a stable hash)."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") % _HELD_OUT_ONE_IN == 0


def belongs(text: str, seed: int) -> bool:
    """Say whether a generator that runs under ``seed`` may use a problem."""
    return is_held_out(text) == (seed >= HELD_OUT_SEED)
