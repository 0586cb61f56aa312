package dev.kvasir.chat.jinja;

/** Operators on numbers, as in Python; integers have 64 bits, and more is an error. */
final class Arithmetic {
    private Arithmetic() {}

    static Object apply(String operator, Object left, Object right, int line) {
        if (!Values.isNumber(left) || !Values.isNumber(right)) {
            throw new TemplateException(
                    line, "cannot take " + Values.type(left) + " " + operator + " " + Values.type(right));
        }
        boolean integers = Values.isInteger(left) && Values.isInteger(right);
        if ((operator.equals("/") || operator.equals("//") || operator.equals("%")) && Values.number(right) == 0) {
            throw new TemplateException(line, "cannot divide by zero");
        }
        try {
            return integers
                    ? integers(operator, Values.integer(left), Values.integer(right))
                    : decimals(operator, Values.number(left), Values.number(right));
        } catch (ArithmeticException e) {
            throw new TemplateException(line, "the result of " + operator + " is too large");
        }
    }

    private static Object integers(String operator, long a, long b) {
        return switch (operator) {
            case "+" -> Math.addExact(a, b);
            case "-" -> Math.subtractExact(a, b);
            case "*" -> Math.multiplyExact(a, b);
            case "/" -> (double) a / b;
            case "//" -> Math.floorDivExact(a, b);
            case "%" -> Math.floorMod(a, b);
            case "**" -> power(a, b);
            default -> throw new IllegalArgumentException(operator);
        };
    }

    private static Object power(long a, long b) {
        if (b < 0) {
            return Math.pow((double) a, (double) b);
        }
        long result = 1;
        if (a == 0 || a == 1 || a == -1) {
            return b == 0 ? 1L : a == -1 && b % 2 == 0 ? 1L : a;
        }
        // No other base has a power above the 62nd that fits.
        for (long i = 0; i < b; i++) {
            result = Math.multiplyExact(result, a);
        }
        return result;
    }

    private static Object decimals(String operator, double a, double b) {
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> a / b;
            case "//" -> Math.floor(a / b);
            case "%" -> a - b * Math.floor(a / b);
            case "**" -> Math.pow(a, b);
            default -> throw new IllegalArgumentException(operator);
        };
    }
}
