package dev.kvasir.lab.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Finds room for badges and names so that none covers another; greedy, in the order of the series. */
final class Labels {
    private static final double CHAR_WIDTH = 6.1;
    private static final double TEXT_HEIGHT = 13;
    private static final double GAP = Plot.BADGE + 4;
    private static final int DIRECTIONS = 12;
    private static final int RINGS = 5;

    private final List<Box> taken = new ArrayList<>();

    /** A rectangle. */
    record Box(double left, double top, double right, double bottom) {
        boolean meets(Box other) {
            return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
        }

        boolean isInside(Box other) {
            return left >= other.left && right <= other.right && top >= other.top && bottom <= other.bottom;
        }
    }

    /** A place. */
    record Place(double x, double y) {}

    private static final Box AREA = new Box(Plot.LEFT + 1, Plot.TOP - 8, Plot.RIGHT + 14, Plot.BOTTOM - 1);

    /** Where the badge of a point goes: on it, or as near as there is room. */
    Place badge(double x, double y) {
        for (int ring = 0; ring <= RINGS; ring++) {
            for (int direction = 0; direction < (ring == 0 ? 1 : DIRECTIONS); direction++) {
                double angle = 2 * Math.PI * direction / DIRECTIONS;
                double distance = ring * Plot.BADGE * 1.25;
                Place place = new Place(x + distance * Math.cos(angle), y - distance * Math.sin(angle));
                if (take(around(place), ring > 0)) {
                    return place;
                }
            }
        }
        return new Place(x, y);
    }

    /** Where a name beside a badge begins, if there is room. */
    Optional<Place> name(Place badge, String name) {
        double width = name.length() * CHAR_WIDTH;
        double[][] starts = {
            {badge.x + GAP, badge.y + 4},
            {badge.x - GAP - width, badge.y + 4},
            {badge.x + GAP - 2, badge.y - 5},
            {badge.x + GAP - 2, badge.y + 13},
            {badge.x - GAP - width + 2, badge.y + 13},
            {badge.x - GAP - width + 2, badge.y - 5},
            {badge.x - width / 2, badge.y - GAP - 1},
            {badge.x - width / 2, badge.y + GAP + 8},
            {badge.x - 4, badge.y - GAP - 1},
            {badge.x - width + 4, badge.y - GAP - 1},
            {badge.x - 4, badge.y + GAP + 8},
            {badge.x - width + 4, badge.y + GAP + 8}
        };
        for (double[] start : starts) {
            Box box = new Box(start[0] - 2, start[1] - TEXT_HEIGHT + 2, start[0] + width + 2, start[1] + 3);
            if (take(box, true)) {
                return Optional.of(new Place(start[0], start[1]));
            }
        }
        return Optional.empty();
    }

    private boolean take(Box box, boolean insideOnly) {
        if ((insideOnly && !box.isInside(AREA)) || taken.stream().anyMatch(box::meets)) {
            return false;
        }
        taken.add(box);
        return true;
    }

    private static Box around(Place place) {
        double half = Plot.BADGE + 0.5;
        return new Box(place.x - half, place.y - half, place.x + half, place.y + half);
    }
}
