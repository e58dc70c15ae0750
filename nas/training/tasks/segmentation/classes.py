"""Names of the classes of the known sets, in the order of their numbers."""

from __future__ import annotations

CAMVID_CLASSES = tuple("sky building pole road pavement tree sign fence car pedestrian bicyclist".split())

VOC_CLASSES = tuple(
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse "
    "motorbike person pottedplant sheep sofa train tvmonitor".split()
)

# The first of the synonyms in objectInfo150.txt of the scene-parsing benchmark (CSAILVision/sceneparsing, BSD-3)
_ADE20K = """
    wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person,
    earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea,
    mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion,
    base, box, column, signboard, chest, counter, sand, sink, skyscraper, fireplace, refrigerator,
    grandstand, path, stairs, runway, case, pool, pillow, screen door, stairway, river, bridge, bookcase,
    blind, coffee, toilet, flower, book, hill, bench, countertop, stove, palm, kitchen, computer, swivel,
    boat, bar, arcade, hovel, bus, towel, light, truck, tower, chandelier, awning, streetlight, booth,
    television, airplane, dirt, apparel, pole, land, bannister, escalator, ottoman, bottle, buffet,
    poster, stage, van, ship, fountain, conveyer, canopy, washer, plaything, swimming, stool, barrel,
    basket, waterfall, tent, bag, minibike, cradle, oven, ball, food, step, tank, trade, microwave, pot,
    animal, bicycle, lake, dishwasher, projection screen, blanket, sculpture, hood, sconce, vase, traffic, tray,
    ashcan, fan, pier, crt, plate, monitor, bulletin, shower, radiator, glass, clock, flag
"""
ADE20K_CLASSES = tuple(" ".join(name.split()) for name in _ADE20K.split(","))
