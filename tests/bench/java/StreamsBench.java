import java.time.Duration;
import java.util.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.*;

/**
 * Jobs of the benchmark on Kafka Streams.
 *
 * usage: StreamsBench JOB[,...] BOOTSTRAP SOURCE[,...] SECOND[,...] OUTPUT RECORDS[,...] STATE_DIR [setting=value ...]
 * SECOND is the other input of a join. Several jobs run one after the other. Settings go to StreamsConfig as they are.
 */
public class StreamsBench {
  static final Serde<String> TEXT = Serdes.String();
  static final Serde<byte[]> BYTES = Serdes.ByteArray();
  static final Serde<Event> EVENT = Packed.json(Event.class);
  static final Serde<Taxed> TAXED = Packed.json(Taxed.class);

  public static class Event {
    public String user, page, country;
    public double amount;
    public long ts;
  }

  public static final class Taxed extends Event {
    public double vat;

    Taxed(Event e) {
      user = e.user; page = e.page; country = e.country; amount = e.amount; ts = e.ts; vat = e.amount * 0.2;
    }
  }

  static Topology topology(String job, String source, String second, String out, Properties settings) {
    var b = new StreamsBuilder(new TopologyConfig(new StreamsConfig(settings)));
    switch (job) {
      case "map" -> b.stream(source, Consumed.with(TEXT, EVENT)).filter((k, v) -> v.amount >= 0).mapValues(Taxed::new)
          .to(out, Produced.with(TEXT, TAXED));
      case "map-avro" -> b.stream(source, Consumed.with(TEXT, Click.READ)).filter((k, c) -> c.amount >= 0)
          .mapValues(c -> { c.vat = c.amount * 0.2; return c; })
          .to(out, Produced.with(TEXT, Click.WITH_VAT));
      case "window-avro" -> b.stream(source, Consumed.with(TEXT, Click.READ)).groupByKey(Grouped.with(TEXT, Click.READ))
          .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(1)))
          .aggregate(() -> 0.0, (k, c, x) -> x + c.amount,
              Materialized.<String, Double, WindowStore<Bytes, byte[]>>as("w").withKeySerde(TEXT).withValueSerde(Serdes.Double()))
          .toStream((w, v) -> w.key() + "@" + w.window().start()).to(out, Produced.with(TEXT, Serdes.Double()));
      case "count" -> b.stream(source, Consumed.with(TEXT, BYTES)).groupByKey(Grouped.with(TEXT, BYTES))
          .count(Materialized.as("c")).toStream().to(out, Produced.with(TEXT, Serdes.Long()));
      case "window" -> b.stream(source, Consumed.with(TEXT, EVENT)).groupByKey(Grouped.with(TEXT, EVENT))
          .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(1)))
          .aggregate(() -> 0.0, (k, v, x) -> x + v.amount,
              Materialized.<String, Double, WindowStore<Bytes, byte[]>>as("w").withKeySerde(TEXT).withValueSerde(Serdes.Double()))
          .toStream((w, v) -> w.key() + "@" + w.window().start()).to(out, Produced.with(TEXT, Serdes.Double()));
      case "words" -> b.stream(source, Consumed.with(BYTES, TEXT)).flatMapValues(line -> Arrays.asList(line.split(" ")))
          .groupBy((k, word) -> word, Grouped.with("words", TEXT, TEXT)).count(Materialized.as("c"))
          .toStream().to(out, Produced.with(TEXT, Serdes.Long()));
      case "sessions" -> b.stream(source, Consumed.with(TEXT, BYTES)).groupByKey(Grouped.with(TEXT, BYTES))
          .windowedBy(SessionWindows.ofInactivityGapAndGrace(Duration.ofSeconds(5), Duration.ofSeconds(1)))
          .count(Materialized.as("s"))
          .toStream((w, v) -> w.key() + "@" + w.window().start() + "-" + w.window().end())
          .to(out, Produced.with(TEXT, Serdes.Long()));
      case "table" -> {
        var names = b.table(second, Consumed.with(TEXT, TEXT), Materialized.as("t"));
        b.stream(source, Consumed.with(TEXT, EVENT))
            .join(names, (v, name) -> name + ":" + v.page, Joined.with(TEXT, EVENT, TEXT))
            .to(out, Produced.with(TEXT, TEXT));
      }
      case "streams" -> {
        var buys = b.stream(second, Consumed.with(TEXT, TEXT));
        b.stream(source, Consumed.with(TEXT, EVENT))
            .join(buys, (v, buy) -> v.page + ">" + buy,
                JoinWindows.ofTimeDifferenceAndGrace(Duration.ofSeconds(1), Duration.ofSeconds(1)),
                StreamJoined.with(TEXT, EVENT, TEXT).withName("j").withStoreName("j"))
            .to(out, Produced.with(TEXT, TEXT));
      }
      case "class" -> {
        b.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("n"), TEXT, Serdes.Long()).withCachingEnabled());
        b.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("due"), Serdes.Long(), TEXT).withCachingEnabled());
        b.stream(source, Consumed.with(TEXT, BYTES)).process(Idle::new, "n", "due").to(out, Produced.with(TEXT, Serdes.Long()));
      }
      default -> throw new IllegalArgumentException(job);
    }
    return b.build(settings);
  }

  /** Counts a key's records; the first sets a timer 2 s later, at which the count is sent and begins anew. */
  static class Idle implements Processor<String, byte[], String, Long> {
    ProcessorContext<String, Long> context;
    KeyValueStore<String, Long> counts;
    KeyValueStore<Long, String> due;
    long number, fired, next = Long.MAX_VALUE;

    public void init(ProcessorContext<String, Long> context) {
      this.context = context;
      counts = context.getStateStore("n");
      due = context.getStateStore("due");
    }

    public void process(Record<String, byte[]> record) {
      Long old = counts.get(record.key());
      counts.put(record.key(), old == null ? 1 : old + 1);
      if (old == null) {
        due.put((record.timestamp() + 2000) << 20 | number++ & 0xfffff, record.key());
        next = Math.min(next, record.timestamp() + 2000);
      }
      fire(context.currentStreamTimeMs());
    }

    void fire(long now) {
      if (now < next) return;
      try (var rows = due.range(fired << 20, (now + 1) << 20)) {
        while (rows.hasNext()) {
          var row = rows.next();
          long at = row.key >> 20;
          due.delete(row.key);
          context.forward(new Record<>(row.value, counts.get(row.value), at));
          counts.delete(row.value);
        }
      }
      fired = now;
      // A range with an open start would step over what was deleted; one with an open end would find the next timer.
      try (var rows = due.range((now + 1) << 20, Long.MAX_VALUE)) {
        next = rows.hasNext() ? rows.next().key >> 20 : Long.MAX_VALUE;
      }
    }
  }

  public static void main(String[] a) throws Exception {
    String[] jobs = a[0].split(","), sources = a[2].split(","), seconds = a[3].split(","), records = a[5].split(",");
    for (int i = 0; i < jobs.length; i++) {
      String job = jobs[i], source = sources[i], second = seconds[i];
      var read = job.equals("table") || job.equals("streams") ? List.of(source, second) : List.of(source);
      StreamsRun.run(job, a[1], read, Long.parseLong(records[i]), a[6], a, 7, settings -> topology(job, source, second, a[4], settings));
    }
    System.exit(0);
  }
}
