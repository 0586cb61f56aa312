package dev.kvasir.cache.method.kvcrush;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * KVCrush written from its description, with sets and sorts: {@code scores} are of the evictable tokens of each head, by position.
 *
 * @param scores of each KV head, which decide what stays
 * @param bits of each head that speaks, from which the bits are; the same as {@code scores}, or of query heads
 */
record PlainCrush(List<Map<Integer, Double>> scores, List<Map<Integer, Double>> bits, int page, double rho) {
    /** Tokens with a bit: the higher half of those that each speaking head has. */
    List<SortedSet<Integer>> marked() {
        List<SortedSet<Integer>> marked = new ArrayList<>();
        for (Map<Integer, Double> head : bits) {
            marked.add(new TreeSet<>(ranked(head).subList(0, head.size() / 2)));
        }
        return marked;
    }

    /** Positions in the order of their scores, of equals the newer first. */
    private static List<Integer> ranked(Map<Integer, Double> scores) {
        return scores.keySet().stream()
                .sorted(Comparator.comparingDouble((Integer p) -> -scores.getOrDefault(p, 0.0))
                        .thenComparingInt(p -> -p))
                .toList();
    }

    /** Signature of each page: bits of its first token, one for each head, then of its second ... */
    Map<Integer, boolean[]> signatures() {
        List<SortedSet<Integer>> marked = marked();
        Map<Integer, boolean[]> signatures = new TreeMap<>();
        for (Map<Integer, Double> head : scores) {
            for (int position : head.keySet()) {
                boolean[] signature = new boolean[page * marked.size()];
                for (int i = 0; i < signature.length; i++) {
                    signature[i] = marked.get(i % marked.size()).contains(position / page * page + i / marked.size());
                }
                signatures.put(position / page, signature);
            }
        }
        return signatures;
    }

    boolean[] anchor(String mode) {
        Map<Integer, boolean[]> signatures = signatures();
        boolean[] anchor = new boolean[page * bits.size()];
        for (int i = 0; i < anchor.length; i++) {
            int bit = i;
            double mean = signatures.values().stream()
                    .mapToInt(signature -> signature[bit] ? 1 : 0)
                    .average()
                    .orElse(0);
            anchor[i] = switch (mode) {
                case "zeros" -> false;
                case "ones" -> true;
                case "alternating" -> i % 2 == 1;
                case "mean" -> mean > 0.5;
                default -> mean < 0.5;
            };
        }
        return anchor;
    }

    Map<Integer, Integer> distances(boolean[] anchor) {
        Map<Integer, Integer> distances = new HashMap<>();
        signatures().forEach((unit, signature) -> {
            int distance = 0;
            for (int i = 0; i < anchor.length; i++) {
                distance += signature[i] == anchor[i] ? 0 : 1;
            }
            distances.put(unit, distance);
        });
        return distances;
    }

    /** Evictable positions of a head that stay, where it may keep {@code keep} pages. */
    SortedSet<Integer> stay(int kvHead, int keep, boolean[] anchor) {
        Map<Integer, Double> pages = new HashMap<>();
        scores.get(kvHead).forEach((position, score) -> pages.merge(position / page, score, Double::sum));
        List<Integer> ranked = ranked(pages);
        int rep = (int) (rho * keep);
        if (page > 1 && pages.size() - keep < rep) {
            rep = 0;
        }
        SortedSet<Integer> units = new TreeSet<>(ranked.subList(0, Math.min(ranked.size(), keep - rep)));
        Map<Integer, Integer> distances = distances(anchor);
        List<Integer> eligible = pages.keySet().stream()
                .filter(unit -> !units.contains(unit))
                .sorted(Comparator.comparingInt((Integer unit) -> distances.getOrDefault(unit, 0))
                        .thenComparingInt(unit -> unit))
                .toList();
        for (int j = 0; j < rep; j++) {
            int rank = rep == 1 ? 0 : j * (eligible.size() - 1) / (rep - 1);
            units.add(eligible.size() <= rep ? eligible.get(Math.min(j, eligible.size() - 1)) : eligible.get(rank));
        }
        SortedSet<Integer> positions = new TreeSet<>();
        units.forEach(unit -> {
            for (int t = 0; t < page; t++) {
                positions.add(unit * page + t);
            }
        });
        return positions;
    }
}
