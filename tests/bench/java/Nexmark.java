import java.util.*;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;

/**
 * Queries of NEXMark on Kafka Streams; apps/nexmark/README.md defines topics, queries and outputs.
 *
 * usage: Nexmark QUERY[,...] BOOTSTRAP PERSONS AUCTIONS BIDS OUTPUT RECORDS[,...] STATE_DIR [setting=value ...]
 * Several run one after the other.
 *
 * Of a value only the fields are read that a query asks for, stores and topics between hold packed bytes, and what is
 * sent to another key is only what is needed there.
 */
public final class Nexmark {
  static final Serde<Long> LONG = Serdes.Long();
  static final Serde<byte[]> BYTES = Serdes.ByteArray();
  /** A window's key: its record's, then start and end; of a session the times of the first and the last record. */
  static final Serde<Windowed<Long>> WINDOW = Packed.longs(3, (w, b) -> b.putLong(w.key()).putLong(w.window().start()).putLong(w.window().end()), b -> null);
  static final byte[] NOTHING = {};

  /** What topics are called. */
  record Topics(String persons, String auctions, String bids, String output) {
    List<String> read(String query) {
      return switch (query) {
        case "q3", "q8" -> List.of(persons, auctions);
        case "q4", "q6" -> List.of(auctions, bids);
        default -> List.of(bids);
      };
    }
  }

  public static final class Bid {
    public long auction, bidder, price, dateTime;
    public String extra;
  }

  public static final class EuroBid {
    public long auction, bidder, dateTime;
    public double price;
    public String extra;
  }

  public static final class Price {
    public long auction, price;
  }

  static void declare(String query, StreamsBuilder b, Topics t) {
    switch (query) {
      case "q0" -> b.stream(t.bids, Consumed.with(BYTES, Packed.json(Bid.class))).to(t.output, Produced.with(BYTES, Packed.json(Bid.class)));
      case "q1" -> b.stream(t.bids, Consumed.with(BYTES, Packed.json(EuroBid.class)))
          .mapValues(bid -> { bid.price *= 0.908; return bid; }).to(t.output, Produced.with(BYTES, Packed.json(EuroBid.class)));
      case "q2" -> b.stream(t.bids, Consumed.with(BYTES, Packed.json(Price.class)))
          .filter((k, bid) -> bid.auction % 123 == 0).to(t.output, Produced.with(BYTES, Packed.json(Price.class)));
      case "q3" -> NexmarkPeople.localItems(b, t);
      case "q4" -> NexmarkWinners.averageByCategory(b, t);
      case "q5" -> NexmarkWindows.hotItems(b, t);
      case "q6" -> NexmarkWinners.averageBySeller(b, t);
      case "q7" -> NexmarkWindows.highestBid(b, t);
      case "q8" -> NexmarkPeople.newUsers(b, t);
      case "q11" -> NexmarkWindows.sessions(b, t);
      case "q12" -> NexmarkWindows.processingTime(b, t);
      default -> throw new IllegalArgumentException(query);
    }
  }

  public static void main(String[] a) throws Exception {
    var topics = new Topics(a[2], a[3], a[4], a[5]);
    String[] queries = a[0].split(","), records = a[6].split(",");
    for (int i = 0; i < queries.length; i++) {
      String query = queries[i];
      StreamsRun.run(query, a[1], topics.read(query), Long.parseLong(records[i]), a[7], a, 8, settings -> {
        var b = new StreamsBuilder(new TopologyConfig(new StreamsConfig(settings)));
        declare(query, b, topics);
        return b.build(settings);
      });
    }
    System.exit(0);
  }
}
