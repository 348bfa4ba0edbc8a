import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.WallclockTimestampExtractor;
import org.apache.kafka.streams.state.*;

/** Queries 5, 7, 11 and 12: bids in windows. */
final class NexmarkWindows {
  private static final Serde<BidCount> COUNT = Packed.longs(2, (v, b) -> b.putLong(v.auction).putLong(v.num), b -> new BidCount(b.getLong(), b.getLong()));
  private static final Serde<HotItems> HOT = Packed.of(
      v -> {
        var b = ByteBuffer.allocate(8 + 8 * v.auctions.length).putLong(v.num);
        for (long auction : v.auctions) b.putLong(auction);
        return b.array();
      },
      bytes -> {
        var b = ByteBuffer.wrap(bytes);
        long num = b.getLong();
        var auctions = new long[bytes.length / 8 - 1];
        for (int i = 0; i < auctions.length; i++) auctions[i] = b.getLong();
        return new HotItems(num, auctions);
      });
  private static final Serde<Nexmark.Bid> BID = Packed.longsAndText(4, v -> v.extra,
      (v, b) -> b.putLong(v.auction).putLong(v.bidder).putLong(v.price).putLong(v.dateTime),
      (b, text) -> {
        var v = new Nexmark.Bid();
        v.auction = b.getLong(); v.bidder = b.getLong(); v.price = b.getLong(); v.dateTime = b.getLong(); v.extra = text;
        return v;
      });

  record BidCount(long auction, long num) {}

  /** The greatest number of bids in a window, and the auctions that have so many, ascending. */
  public static final class HotItems {
    public final long num;
    public final long[] auctions;

    HotItems(long num, long... auctions) { this.num = num; this.auctions = auctions; }

    HotItems hotter(BidCount count) {
      if (count.num > num) return new HotItems(count.num, count.auction);
      if (count.num < num) return this;
      int at = Arrays.binarySearch(auctions, count.auction);
      if (at >= 0) return this;
      var all = Arrays.copyOf(auctions, auctions.length + 1);
      System.arraycopy(auctions, -at - 1, all, -at, auctions.length + at + 1);
      all[-at - 1] = count.auction;
      return new HotItems(num, all);
    }
  }

  public static final class Bidder {
    public long bidder;
  }

  static void hotItems(StreamsBuilder b, Nexmark.Topics t) {
    b.stream(t.bids(), Consumed.with(Nexmark.LONG, Nexmark.BYTES)).groupByKey(Grouped.with(Nexmark.LONG, Nexmark.BYTES))
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(4)).advanceBy(Duration.ofSeconds(2)))
        .count(Materialized.<Long, Long, WindowStore<Bytes, byte[]>>as("counts").withKeySerde(Nexmark.LONG).withValueSerde(Nexmark.LONG))
        .toStream().map((window, num) -> KeyValue.pair(window.window().start(), new BidCount(window.key(), num)))
        .groupByKey(Grouped.with("window", Nexmark.LONG, COUNT))
        .aggregate(() -> new HotItems(0), (start, count, hot) -> hot.hotter(count),
            Materialized.<Long, HotItems, KeyValueStore<Bytes, byte[]>>as("hot").withKeySerde(Nexmark.LONG).withValueSerde(HOT))
        .toStream().to(t.output(), Produced.with(Nexmark.LONG, Packed.json(HotItems.class)));
  }

  static void highestBid(StreamsBuilder b, Nexmark.Topics t) {
    b.stream(t.bids(), Consumed.with(Nexmark.LONG, Packed.json(Nexmark.Bid.class))).groupByKey(Grouped.with(Nexmark.LONG, BID))
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(4)))
        .reduce(NexmarkWindows::higher, Materialized.<Long, Nexmark.Bid, WindowStore<Bytes, byte[]>>as("by-auction").withKeySerde(Nexmark.LONG).withValueSerde(BID))
        .toStream().selectKey((window, bid) -> window.window().start())
        .groupByKey(Grouped.with("window", Nexmark.LONG, BID))
        .reduce(NexmarkWindows::higher, Materialized.<Long, Nexmark.Bid, KeyValueStore<Bytes, byte[]>>as("highest").withKeySerde(Nexmark.LONG).withValueSerde(BID))
        .toStream().to(t.output(), Produced.with(Nexmark.LONG, Packed.json(Nexmark.Bid.class)));
  }

  static void sessions(StreamsBuilder b, Nexmark.Topics t) {
    byBidder(b.stream(t.bids(), Consumed.with(Nexmark.BYTES, Packed.json(Bidder.class))))
        .windowedBy(SessionWindows.ofInactivityGapAndGrace(Duration.ofSeconds(10), Duration.ofHours(1)))
        .count(Materialized.<Long, Long, SessionStore<Bytes, byte[]>>as("sessions").withKeySerde(Nexmark.LONG).withValueSerde(Nexmark.LONG))
        .toStream().to(t.output(), Produced.with(Nexmark.WINDOW, Nexmark.LONG));
  }

  static void processingTime(StreamsBuilder b, Nexmark.Topics t) {
    byBidder(b.stream(t.bids(), Consumed.with(Nexmark.BYTES, Packed.json(Bidder.class)).withTimestampExtractor(new WallclockTimestampExtractor())))
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofMinutes(1)))
        .count(Materialized.<Long, Long, WindowStore<Bytes, byte[]>>as("counts").withKeySerde(Nexmark.LONG).withValueSerde(Nexmark.LONG))
        .toStream().to(t.output(), Produced.with(Nexmark.WINDOW, Nexmark.LONG));
  }

  private static KGroupedStream<Long, byte[]> byBidder(KStream<byte[], Bidder> bids) {
    return bids.map((k, bid) -> KeyValue.pair(bid.bidder, Nexmark.NOTHING)).groupByKey(Grouped.with("bidder", Nexmark.LONG, Nexmark.BYTES));
  }

  /** The one with the higher price; of equal ones the earlier, then that with the smaller numbers. */
  private static Nexmark.Bid higher(Nexmark.Bid old, Nexmark.Bid bid) {
    if (bid.price != old.price) return bid.price > old.price ? bid : old;
    if (bid.dateTime != old.dateTime) return bid.dateTime < old.dateTime ? bid : old;
    if (bid.auction != old.auction) return bid.auction < old.auction ? bid : old;
    return bid.bidder < old.bidder ? bid : old;
  }
}
