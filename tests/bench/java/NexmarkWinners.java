import java.time.Duration;
import java.util.Arrays;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.KeyValueStore;

/** Queries 4 and 6: means of auctions' final prices, each the highest bid while the auction was open. */
final class NexmarkWinners {
  private static final int LAST_AUCTIONS = 10;
  private static final Serde<Offer> OFFER =
      Packed.longs(3, (v, b) -> b.putLong(v.seller).putLong(v.category).putLong(v.expires), b -> new Offer(b.getLong(), b.getLong(), b.getLong()));
  private static final Serde<TimedPrice> PRICE = Packed.longs(2, (v, b) -> b.putLong(v.price).putLong(v.dateTime), b -> new TimedPrice(b.getLong(), b.getLong()));
  private static final Serde<Final> FINAL = Packed.longs(4, (v, b) -> b.putLong(v.seller).putLong(v.category).putLong(v.expires).putLong(v.price),
      b -> new Final(b.getLong(), b.getLong(), b.getLong(), b.getLong()));
  private static final Serde<Mean> MEAN = Packed.longs(2, (v, b) -> b.putLong(v.sum).putLong(v.count), b -> new Mean(b.getLong(), b.getLong()));
  private static final Serde<Closing> CLOSING =
      Packed.longs(3, (v, b) -> b.putLong(v.expires).putLong(v.id).putLong(v.price), b -> new Closing(b.getLong(), b.getLong(), b.getLong()));
  /** Three numbers for each auction. */
  private static final Serde<Closing[]> LAST = Packed.of(
      v -> {
        var b = java.nio.ByteBuffer.allocate(24 * v.length);
        for (Closing c : v) b.putLong(c.expires).putLong(c.id).putLong(c.price);
        return b.array();
      },
      bytes -> {
        var b = java.nio.ByteBuffer.wrap(bytes);
        var v = new Closing[bytes.length / 24];
        for (int i = 0; i < v.length; i++) v[i] = new Closing(b.getLong(), b.getLong(), b.getLong());
        return v;
      });

  public record Offer(long seller, long category, long expires) {}

  public record TimedPrice(long price, long dateTime) {}

  record Final(long seller, long category, long expires, long price) {}

  record Mean(long sum, long count) {}

  record Closing(long expires, long id, long price) implements Comparable<Closing> {
    public int compareTo(Closing other) { return expires != other.expires ? Long.compare(expires, other.expires) : Long.compare(id, other.id); }
  }

  static KTable<Long, Final> finalPrices(StreamsBuilder b, Nexmark.Topics t) {
    var bids = b.stream(t.bids(), Consumed.with(Nexmark.LONG, Packed.json(TimedPrice.class)));
    return b.stream(t.auctions(), Consumed.with(Nexmark.LONG, Packed.json(Offer.class)))
        .join(bids, (offer, bid) -> bid.dateTime > offer.expires ? null : new Final(offer.seller, offer.category, offer.expires, bid.price),
            JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(334), Duration.ofSeconds(10)).before(Duration.ZERO),
            StreamJoined.with(Nexmark.LONG, OFFER, PRICE).withName("j").withStoreName("j"))
        .filter((id, offer) -> offer != null)
        .groupByKey(Grouped.with(Nexmark.LONG, FINAL))
        .reduce((old, bid) -> bid.price > old.price ? bid : old,
            Materialized.<Long, Final, KeyValueStore<Bytes, byte[]>>as("final").withKeySerde(Nexmark.LONG).withValueSerde(FINAL));
  }

  static void averageByCategory(StreamsBuilder b, Nexmark.Topics t) {
    finalPrices(b, t).groupBy((id, f) -> KeyValue.pair(f.category, f.price), Grouped.with("category", Nexmark.LONG, Nexmark.LONG))
        .aggregate(() -> new Mean(0, 0), (k, price, m) -> new Mean(m.sum + price, m.count + 1), (k, price, m) -> new Mean(m.sum - price, m.count - 1),
            Materialized.<Long, Mean, KeyValueStore<Bytes, byte[]>>as("mean").withKeySerde(Nexmark.LONG).withValueSerde(MEAN))
        .toStream().mapValues(m -> m.sum / m.count).to(t.output(), Produced.with(Nexmark.LONG, Nexmark.LONG));
  }

  static void averageBySeller(StreamsBuilder b, Nexmark.Topics t) {
    finalPrices(b, t).groupBy((id, f) -> KeyValue.pair(f.seller, new Closing(f.expires, id, f.price)), Grouped.with("seller", Nexmark.LONG, CLOSING))
        .aggregate(() -> new Closing[0], (k, closing, last) -> with(last, closing), (k, closing, last) -> without(last, closing.id),
            Materialized.<Long, Closing[], KeyValueStore<Bytes, byte[]>>as("last").withKeySerde(Nexmark.LONG).withValueSerde(LAST))
        .toStream().mapValues(NexmarkWinners::mean).to(t.output(), Produced.with(Nexmark.LONG, Nexmark.LONG));
  }

  private static Closing[] with(Closing[] last, Closing closing) {
    var all = Arrays.copyOf(last, last.length + 1);
    int i = last.length;
    for (; i > 0 && all[i - 1].compareTo(closing) > 0; i--) all[i] = all[i - 1];
    all[i] = closing;
    return all.length > LAST_AUCTIONS ? Arrays.copyOfRange(all, 1, all.length) : all;
  }

  /** Without an auction whose price is about to change; if it was not among the last ones, it will not be again. */
  private static Closing[] without(Closing[] last, long id) {
    for (int i = 0; i < last.length; i++) {
      if (last[i].id != id) continue;
      var rest = Arrays.copyOf(last, last.length - 1);
      System.arraycopy(last, i + 1, rest, i, rest.length - i);
      return rest;
    }
    return last;
  }

  private static Long mean(Closing[] last) {
    long sum = 0;
    for (Closing c : last) sum += c.price;
    return sum / last.length;
  }
}
