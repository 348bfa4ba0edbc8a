import com.alibaba.fastjson2.JSON;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.function.*;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** Serdes: JSON for topics that others read, packed bytes for stores and topics of the app's own. Null stays null. */
final class Packed {
  private Packed() {}

  static <T> Serde<T> json(Class<T> type) {
    return of(JSON::toJSONBytes, b -> JSON.parseObject(b, type));
  }

  static <T> Serde<T> of(Function<T, byte[]> write, Function<byte[], T> read) {
    return Serdes.serdeFrom((topic, v) -> v == null ? null : write.apply(v), (topic, b) -> b == null ? null : read.apply(b));
  }

  /** For values that are so many numbers. */
  static <T> Serde<T> longs(int count, BiConsumer<T, ByteBuffer> write, Function<ByteBuffer, T> read) {
    return of(v -> { var b = ByteBuffer.allocate(8 * count); write.accept(v, b); return b.array(); }, b -> read.apply(ByteBuffer.wrap(b)));
  }

  /** For values of so many numbers and a text, which comes last. */
  static <T> Serde<T> longsAndText(int count, Function<T, String> text, BiConsumer<T, ByteBuffer> write, BiFunction<ByteBuffer, String, T> read) {
    return of(
        v -> {
          byte[] last = text.apply(v).getBytes(StandardCharsets.UTF_8);
          var b = ByteBuffer.allocate(8 * count + last.length);
          write.accept(v, b);
          return b.put(last).array();
        },
        b -> read.apply(ByteBuffer.wrap(b), new String(b, 8 * count, b.length - 8 * count, StandardCharsets.UTF_8)));
  }
}
