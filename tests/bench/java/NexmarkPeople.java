import java.time.Duration;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.*;

/** Queries 3 and 8: persons and what they sell. */
final class NexmarkPeople {
  private static final Serde<Item> ITEM = Packed.longs(2, (v, b) -> b.putLong(v.id).putLong(v.seller), b -> new Item(b.getLong(), b.getLong(), 10));
  private static final Serde<Newcomer> NEWCOMER = Packed.longsAndText(1, v -> v.name == null ? "" : v.name,
      (v, b) -> b.putLong((v.name == null ? 0 : 2) + (v.hasAuction ? 1 : 0)),
      (b, text) -> { long has = b.getLong(); return new Newcomer(has > 1 ? text : null, (has & 1) == 1); });

  public static final class Seller {
    public String name, city, state;
  }

  public record Item(long id, long seller, long category) {}

  public static final class LocalItem {
    public String name, city, state;
    public long id;

    LocalItem(Item item, Seller seller) {
      name = seller.name; city = seller.city; state = seller.state; id = item.id;
    }
  }

  public static final class Named {
    public String name;
  }

  public static final class Sale {
    public long seller;
  }

  /** What a window knows of a person: the name once the person has come, and whether there is an auction. */
  record Newcomer(String name, boolean hasAuction) {}

  public static final class NewSeller {
    public long id, starttime;
    public String name;

    NewSeller(Windowed<Long> window, String name) {
      id = window.key(); starttime = window.window().start(); this.name = name;
    }
  }

  /** Filtered before they become tables, so that only what can join is stored. */
  static void localItems(StreamsBuilder b, Nexmark.Topics t) {
    var items = b.stream(t.auctions(), Consumed.with(Nexmark.LONG, Packed.json(Item.class))).filter((k, item) -> item.category == 10)
        .toTable(Materialized.<Long, Item, KeyValueStore<Bytes, byte[]>>as("items").withKeySerde(Nexmark.LONG).withValueSerde(ITEM));
    var sellers = b.stream(t.persons(), Consumed.with(Nexmark.LONG, Packed.json(Seller.class)))
        .filter((k, p) -> p.state.equals("OR") || p.state.equals("ID") || p.state.equals("CA"))
        .toTable(Materialized.<Long, Seller, KeyValueStore<Bytes, byte[]>>as("sellers").withKeySerde(Nexmark.LONG).withValueSerde(Packed.json(Seller.class)));
    items.join(sellers, Item::seller, LocalItem::new, TableJoined.as("j"),
            Materialized.<Long, LocalItem, KeyValueStore<Bytes, byte[]>>with(Nexmark.LONG, Packed.json(LocalItem.class)))
        .toStream().to(t.output(), Produced.with(Nexmark.LONG, Packed.json(LocalItem.class)));
  }

  static void newUsers(StreamsBuilder b, Nexmark.Topics t) {
    var came = b.stream(t.persons(), Consumed.with(Nexmark.LONG, Packed.json(Named.class))).groupByKey(Grouped.with(Nexmark.LONG, Packed.json(Named.class)));
    var sold = b.stream(t.auctions(), Consumed.with(Nexmark.BYTES, Packed.json(Sale.class)))
        .map((k, sale) -> KeyValue.pair(sale.seller, Nexmark.NOTHING)).groupByKey(Grouped.with("sold", Nexmark.LONG, Nexmark.BYTES));
    came.<Newcomer>cogroup((k, person, n) -> new Newcomer(person.name, n.hasAuction))
        .cogroup(sold, (k, sale, n) -> n.hasAuction ? n : new Newcomer(n.name, true))
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofHours(1)))
        .aggregate(() -> new Newcomer(null, false),
            Materialized.<Long, Newcomer, WindowStore<Bytes, byte[]>>as("newcomers").withKeySerde(Nexmark.LONG).withValueSerde(NEWCOMER))
        .toStream().filter((window, n) -> n.name != null && n.hasAuction).mapValues((window, n) -> new NewSeller(window, n.name))
        .to(t.output(), Produced.with(Nexmark.WINDOW, Packed.json(NewSeller.class)));
  }
}
