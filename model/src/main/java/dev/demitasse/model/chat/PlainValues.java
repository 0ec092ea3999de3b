package dev.demitasse.model.chat;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.exptest.ExpTest;
import com.hubspot.jinjava.lib.filter.Filter;
import com.hubspot.jinjava.util.ForLoop;
import java.beans.FeatureDescriptor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import jinjava.javax.el.ELContext;
import jinjava.javax.el.ELResolver;
import org.jspecify.annotations.Nullable;

/**
 * What a template can read from a value and call on it: a map's entries, a list's elements, a loop's counters, the
 * methods that Python's {@code str} and {@code dict} have and that change nothing. Of any other object it gets nothing:
 * no property, no method, no class.
 */
final class PlainValues extends ELResolver {
    @Override
    public @Nullable Object getValue(ELContext context, @Nullable Object base, Object property) {
        if (base == null) {
            return null;
        }
        context.setPropertyResolved(true);
        String name = Objects.toString(property);
        return switch (base) {
            case Map<?, ?> map -> map.get(name);
            case List<?> list -> element(list, name);
            case String text -> character(text, name);
            case Map.Entry<?, ?> entry -> element(Arrays.asList(entry.getKey(), entry.getValue()), name);
            case ForLoop loop -> counter(loop, name);
            default -> null;
        };
    }

    private static @Nullable Object element(List<?> list, String name) {
        int index = index(name, list.size());
        return index < 0 ? null : list.get(index);
    }

    private static @Nullable Object character(String text, String name) {
        int index = index(name, text.length());
        return index < 0 ? null : text.substring(index, index + 1);
    }

    /** A place in a sequence, from its end where negative; -1 where there is none. */
    private static int index(String name, int size) {
        try {
            long index = Long.parseLong(name);
            long fromStart = index < 0 ? index + size : index;
            return fromStart >= 0 && fromStart < size ? (int) fromStart : -1;
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    private static @Nullable Object counter(ForLoop loop, String name) {
        return switch (name) {
            case "index" -> (long) loop.getIndex();
            case "index0" -> (long) loop.getIndex0();
            case "revindex" -> (long) loop.getRevindex();
            case "revindex0" -> (long) loop.getRevindex0();
            case "length" -> (long) loop.getLength();
            case "depth" -> (long) loop.getDepth();
            case "depth0" -> (long) loop.getDepth0();
            case "first" -> loop.isFirst();
            case "last" -> loop.isLast();
            default -> null;
        };
    }

    @Override
    public @Nullable Object invoke(
            ELContext context,
            @Nullable Object base,
            Object method,
            Class<?> @Nullable [] types,
            Object @Nullable [] parameters) {
        context.setPropertyResolved(true);
        Object[] arguments = parameters == null ? new Object[0] : parameters;
        String name = Objects.toString(method);
        if (base instanceof Filter filter && name.equals("filter")) {
            return filter(filter, arguments);
        }
        if (base instanceof ExpTest test && name.startsWith("evaluate")) {
            return test(test, name, arguments);
        }
        if (base instanceof String text) {
            return known(PythonText.call(text, name, arguments), "str", name);
        }
        if (base instanceof Map<?, ?> map) {
            return known(ofMap(map, name, arguments), "dict", name);
        }
        throw new IllegalStateException("there is no method '" + name + "' to call");
    }

    private static @Nullable Object filter(Filter filter, Object[] arguments) {
        @SuppressWarnings("unchecked")
        Map<String, Object> named = (Map<String, Object>) arguments[3];
        return filter.filter(arguments[0], (JinjavaInterpreter) arguments[1], (Object[]) arguments[2], named);
    }

    private static boolean test(ExpTest test, String name, Object[] arguments) {
        Object[] others = Arrays.copyOfRange(arguments, 2, arguments.length);
        JinjavaInterpreter interpreter = (JinjavaInterpreter) arguments[1];
        return name.equals("evaluateNegated")
                ? test.evaluateNegated(arguments[0], interpreter, others)
                : test.evaluate(arguments[0], interpreter, others);
    }

    /** What a map's method gives; null where there is no such method. */
    private static @Nullable Object ofMap(Map<?, ?> map, String name, Object[] arguments) {
        return switch (name) {
            case "items" -> new ArrayList<>(map.entrySet());
            case "keys" -> new ArrayList<>(map.keySet());
            case "values" -> new ArrayList<>(map.values());
            case "get" -> {
                Object value = arguments.length > 0 ? map.get(Objects.toString(arguments[0])) : null;
                yield value != null ? value : arguments.length > 1 ? arguments[1] : Absent.ABSENT;
            }
            default -> null;
        };
    }

    /** A value that is none, of a method that exists. */
    private enum Absent {
        ABSENT
    }

    private static @Nullable Object known(@Nullable Object value, String type, String name) {
        if (value == null) {
            throw new IllegalStateException("'" + type + "' has no method '" + name + "'");
        }
        return value == Absent.ABSENT ? null : value;
    }

    @Override
    public @Nullable Class<?> getType(ELContext context, Object base, Object property) {
        return null;
    }

    @Override
    public void setValue(ELContext context, Object base, Object property, Object value) {
        throw new IllegalStateException("a template cannot change '" + property + "'");
    }

    @Override
    public boolean isReadOnly(ELContext context, Object base, Object property) {
        return true;
    }

    @Override
    public Iterator<FeatureDescriptor> getFeatureDescriptors(ELContext context, Object base) {
        return Collections.emptyIterator();
    }

    @Override
    public Class<?> getCommonPropertyType(ELContext context, Object base) {
        return Object.class;
    }
}
