package dev.kvasir.lab.task;

import java.util.List;
import java.util.stream.Stream;

/** The sentences that scenes are told with: a plot is a run of stages, a stage a choice of templates. */
final class Plots {
    private static final List<Template> OPENING = stage(
            "$A lived in $place , in a house near the $land .",
            "In $place there was a $job who was known as $A .",
            "$A was a $mood $job from $place .",
            "One $time $A came to $place with a $finething .",
            "When $A was young , $he lived near the $land in $place .",
            "There was no $job in $place as $mood as $A .",
            "$A works as a $job in $place and likes $food .",
            "Every $time $A walked to the $land near $place .");

    private static final List<List<Template>> LOST = List.of(
            OPENING,
            stage(
                    "$He had a $finething , but one $time it was lost .",
                    "One $time $he lost the $finething that was kept in a box .",
                    "Then $he looked for a $finething , but it was not in the house ."),
            stage(
                    "$He looked under the table , by the door and in every box .",
                    "$A walked to the $land , but the $thing was not there .",
                    "All $time $he looked for it , but it was not there .",
                    "$He told all the children of $place to look for the $thing ."),
            stage(
                    "Then $he asked $B , a $job from $elsewhere .",
                    "$He went to $B and asked , where is the $thing ?",
                    "$A came to the house of $B and sat down by the door ."),
            stage(
                    "It was $B who had found the $thing near the $land .",
                    "$B had found it under the $tree and gave it back .",
                    "The $thing was in the house of $B , where $A had left it .",
                    "A $animal took it to the $land , said $B ."),
            stage(
                    "$A was $mood and gave $B a $gift .",
                    "After that $he kept the $thing at home .",
                    "They sat down and had $food and $food ."));

    private static final List<List<Template>> MARKET = List.of(
            OPENING,
            stage(
                    "One $time $he took the path over the $land to $elsewhere .",
                    "$A went to the market in $elsewhere for a $finething .",
                    "The market in $elsewhere was full of $many and $many ."),
            stage(
                    "There $he met $B , who sold $many and $food .",
                    "$B was there with $many , and $A asked for a $finething .",
                    "By the door sat $B with a $tool and a $finething ."),
            stage(
                    "$B asked for two coins , but $A had one .",
                    "It was a good $thing , $adj and $adj , and $A took it .",
                    "$A looked at the $thing , but it was too $adj .",
                    "$B said that no $thing was as $adj as that ."),
            stage(
                    "$He took it home in a basket .",
                    "They walked home with $many and $food .",
                    "Then $A left the market and went back to $place ."));

    private static final List<List<Template>> STORM = List.of(
            stage(
                    "The $weather came over the $land near $place in the $time .",
                    "All $time there was $weather over $place .",
                    "It was a $adj $time in $place , with $weather over the $land ."),
            stage(
                    "$A was on the path to $elsewhere and had no $clothes .",
                    "$A ran from the $land to the house of $B .",
                    "$A looked for a house , for $he was $mood and $mood ."),
            stage(
                    "$B came to the door and asked $him in .",
                    "There was a $finething by the door and $food on the table .",
                    "$B had $food and $food , and they sat by the candle .",
                    "$B took $his $clothes and gave $him $food ."),
            stage(
                    "$A slept there until it was morning .",
                    "When the $weather was over , $A walked home to $place .",
                    "They told of the $weather to all the children of $place .",
                    "The $weather was still there when $A left ."));

    private static final List<List<Template>> ANIMAL = List.of(
            OPENING,
            stage(
                    "By the $land $he saw a $adj $animal .",
                    "A $animal came to $his door every $time .",
                    "One $time a $animal and a $otheranimal ran into $his house ."),
            stage(
                    "$He gave it $food , and it came back in the $time .",
                    "The $animal was $adj and ran from every $otheranimal .",
                    "It took the $thing from the table and ran to the $land ."),
            stage(
                    "$B said that the $animal was from $elsewhere .",
                    "$A asked $B , but $B had no $animal so $adj .",
                    "$B has a $animal too , and they were friends ."),
            stage(
                    "After that the $animal slept by the door .",
                    "One $time the $animal was not there .",
                    "The $animal ran into the $otherland , and $A did not see it again ."));

    private static final List<List<Template>> WORK = List.of(
            OPENING,
            stage(
                    "$B asked $A for a $finething .",
                    "One $time $B came from $elsewhere with a $finething .",
                    "$A had made a $finething for $B of $elsewhere ."),
            stage(
                    "It was $adj work , and $he was at it until the $time .",
                    "$He took a $tool and a $tool and made it new .",
                    "Every $time $he asked for a $gift ."),
            stage(
                    "$B was $mood and took the $thing home to $elsewhere .",
                    "$B said that it was a good $thing .",
                    "After that $B gave $him $many and $food .",
                    "Then they walked to the $land and looked at the $weather ."));

    private static final List<List<Template>> MEETING = List.of(
            stage(
                    "$A met $B at the $land near $elsewhere .",
                    "$A and $B were friends and lived by the $land .",
                    "$B had a house in $elsewhere , and one $time $A went there ."),
            stage(
                    "They sat under the $tree and told of $place .",
                    "They walked by the $land and saw $many and $many .",
                    "They looked at the $weather over the $otherland and were $mood ."),
            stage(
                    "What is in the box , asked $A . It is a $finething , said $B .",
                    "Where is the $thing , asked $B . It is at home , said $A .",
                    "$B likes the $land , but $A likes the $otherland .",
                    "$A keeps a $finething at home , and $B keeps a $animal ."),
            stage(
                    "When the $weather came they went home .",
                    "Soon it was $time , and $A went back to $place .",
                    "After that they met every $time at the $otherland ."));

    static final List<List<List<Template>>> ALL = List.of(LOST, MARKET, STORM, ANIMAL, WORK, MEETING);

    /** Sentences that fit anywhere in a scene. */
    static final List<Template> ASIDES = stage(
            "It was $adj and the $weather was over the $land .",
            "The $many were $adj and the $land was $adj .",
            "In the $time there were $many by the $land .",
            "It was a $adj $time in $place .",
            "The $weather was $adj .",
            "The children of $place were $mood .",
            "Every house had a $finething by the door .",
            "There was $food on the table .",
            "A $animal ran over the path .",
            "A $animal and a $otheranimal sat by the $land .",
            "Soon the $weather was over .",
            "It was $time , and all was $adj .",
            "There were no $many in the house .",
            "By the $land the $weather was $adj .");

    /** The shortest sentences, for the last few tokens of a document. */
    static final List<Template> SHORT =
            stage("Night fell .", "It was $time .", "It was $adj .", "Then it was $time again .", "They were $mood .");

    private Plots() {}

    private static List<Template> stage(String... sentences) {
        return Stream.of(sentences).map(Template::of).toList();
    }
}
