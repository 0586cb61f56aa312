package dev.kvasir.lab.task;

import java.util.List;

/** The words of all tasks: few, short and common, so that a small vocabulary holds each as one token. */
final class Words {
    static final List<String> COLOURS = list("red blue green white black brown grey pink gold silver amber purple");
    static final List<String> ADJECTIVES = join(List.of(
            COLOURS,
            list(
                    "tall old new small big soft hard warm cold dry wet long short deep thin thick sharp flat round heavy"),
            list("light dark bright clean dusty quiet loud slow quick calm wild proud kind happy sad brave shy strong"),
            list("weak sweet sour bitter fresh plain fine rough smooth empty full broken hidden young")));
    /** The adjectives that fit a person. */
    static final List<String> MOODS = list("happy sad calm proud brave shy quiet kind strong young");

    static final List<String> ANIMALS = list("fox dog cat horse bear goat duck mouse wolf sheep crow frog");
    static final List<String> TOOLS = list("hammer axe spade knife rope needle drill chisel rake anvil wrench ladder");
    static final List<String> FOODS = list("bread cheese soup honey rice butter salt cake apple onion plum bean");
    static final List<String> GOODS = list("lamp chair table clock mirror basket bottle candle drum book coin box");
    static final List<String> CLOTHES = list("hat coat boot glove scarf shirt belt ring cloak sock apron cap");
    static final List<String> PLANTS = list("oak pine rose moss fern grass ivy reed thorn willow tulip leaf");
    static final List<String> WEATHER = list("rain snow wind storm fog frost hail cloud thunder sun breeze mist");
    static final List<String> LAND = list("river hill lake valley forest field island cave cliff shore path bridge");
    static final List<String> NOUNS = join(List.of(ANIMALS, TOOLS, FOODS, GOODS, CLOTHES, PLANTS, WEATHER, LAND));
    /** The foods that need no article. */
    static final List<String> MEALS = FOODS.subList(0, 8);
    /** What a person can own. */
    static final List<String> THINGS = join(List.of(TOOLS, GOODS, CLOTHES));
    /** The plants one can sit under. */
    static final List<String> TREES = list("oak pine willow");

    static final List<String> PLURALS = list("apples dogs horses books candles coins boots hats friends children");
    static final List<String> JOBS = list("baker farmer doctor teacher miller sailor painter singer tailor hunter"
            + " weaver clerk judge smith nurse driver");
    static final List<String> TIMES = list("morning evening day night");

    static final List<String> WOMEN = list("Mira Anna Clara Edith Fiona Greta Hanna Ida Julia Karin Laura Maria Nora"
            + " Olga Paula Rosa Sara Tilda Vera Wanda Alma Berta Dora Ella");
    static final List<String> MEN = list("Adam Boris Carl David Emil Frank George Hugo Ivan James Kurt Leo Martin Nils"
            + " Oscar Peter Robert Simon Thomas Viktor Walter Henry Jonas Felix");
    static final List<String> FIRST_NAMES = join(List.of(WOMEN, MEN));
    static final List<String> SURNAMES = list(
            "Holt Berg Marsh Kane Lund Ford Voss Hale Dunn Ross Webb Cole Nash Byrne"
                    + " Falk Grant Hobbs Irving Jarvis Kemp Lowe Moore Norris Olsen Pratt Quinn Rusk Shaw Tate Vance Wolfe Yates");
    static final List<String> PLACES = list("Tarsk Avon Belmar Corin Dover Elmet Farrow Galway Harlow Ilmen Jura Kelso"
            + " Lorne Malmo Narvik Orkney Perth Rowan Salem Torvik Ulster Vimer Wexford Yarrow Arden Bristol Calder"
            + " Dunbar Exeter Fenwick Granby Hexham");

    static final List<String> LABELS =
            list("pol dax wug zim tok fep nib gor lum vek sij rab mip hun cag bex jit kov lod nuf pez quo tul yim");

    private Words() {}

    /** An adjective and a noun, such as {@code tall river}. */
    static String pair(Dice dice, List<String> nouns) {
        return dice.pick(ADJECTIVES) + " " + dice.pick(nouns);
    }

    /** As {@link #pair(Dice, List)}, from the combinations that {@code split} may use. */
    static String pair(Dice dice, List<String> nouns, Split split) {
        String pair = pair(dice, nouns);
        while (!split.mayUse(pair)) {
            pair = pair(dice, nouns);
        }
        return pair;
    }

    static boolean wantsAn(String words) {
        return "aeiou".indexOf(words.charAt(0)) >= 0;
    }

    static String withArticle(String words) {
        return (wantsAn(words) ? "an " : "a ") + words;
    }

    private static List<String> list(String words) {
        return List.of(words.split(" ", -1));
    }

    private static List<String> join(List<List<String>> lists) {
        return lists.stream().flatMap(List::stream).toList();
    }
}
