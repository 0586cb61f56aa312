package dev.kvasir.lab.task;

import dev.kvasir.KvasirException;

/** What a template leaves open; the first group keeps its value for a whole scene, the second is drawn each time. */
enum Slot {
    A,
    HE,
    CAPITAL_HE,
    HIM,
    HIS,
    B,
    PLACE,
    ELSEWHERE,
    THING,
    FINE_THING,
    ANIMAL,
    LAND,
    WEATHER,

    OTHER_ANIMAL,
    OTHER_LAND,
    JOB,
    MOOD,
    ADJECTIVE,
    TIME,
    FOOD,
    MANY,
    TREE,
    TOOL,
    CLOTHES,
    GIFT,

    NOTHING;

    static Slot of(String symbol) {
        return switch (symbol) {
            case "$A" -> A;
            case "$he" -> HE;
            case "$He" -> CAPITAL_HE;
            case "$him" -> HIM;
            case "$his" -> HIS;
            case "$B" -> B;
            case "$place" -> PLACE;
            case "$elsewhere" -> ELSEWHERE;
            case "$thing" -> THING;
            case "$finething" -> FINE_THING;
            case "$animal" -> ANIMAL;
            case "$land" -> LAND;
            case "$weather" -> WEATHER;
            case "$otheranimal" -> OTHER_ANIMAL;
            case "$otherland" -> OTHER_LAND;
            case "$job" -> JOB;
            case "$mood" -> MOOD;
            case "$adj" -> ADJECTIVE;
            case "$time" -> TIME;
            case "$food" -> FOOD;
            case "$many" -> MANY;
            case "$tree" -> TREE;
            case "$tool" -> TOOL;
            case "$clothes" -> CLOTHES;
            case "$gift" -> GIFT;
            default -> throw new KvasirException("template: unknown slot " + symbol);
        };
    }
}
