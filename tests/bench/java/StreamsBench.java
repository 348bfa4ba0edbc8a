import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.*;

/**
 * One job of the benchmark on Kafka Streams, over topics that are already loaded; prints its figures as one line of JSON.
 *
 * usage: StreamsBench JOB BOOTSTRAP SOURCE SECOND OUTPUT RECORDS STATE_DIR [setting=value ...]
 * SECOND is the other input of a join. Settings go to StreamsConfig as they are.
 *
 * The clock starts at the first processed record and stops when the group's committed offsets, seen from outside, have
 * reached the ends of all topics that the app reads, its repartition topic included. (The consumer's metric moves only
 * when a whole fetch is drained, so it would start the clock far too late.)
 */
public class StreamsBench {
  static final ObjectMapper JSON = new ObjectMapper();
  static final Serde<String> TEXT = Serdes.String();
  static final Serde<byte[]> BYTES = Serdes.ByteArray();
  static final Serde<JsonNode> NODE = Serdes.serdeFrom(
      (t, d) -> { try { return d == null ? null : JSON.writeValueAsBytes(d); } catch (Exception e) { throw new RuntimeException(e); } },
      (t, b) -> { try { return b == null ? null : JSON.readTree(b); } catch (Exception e) { throw new RuntimeException(e); } });

  static Topology topology(String job, String source, String second, String out) {
    var b = new StreamsBuilder();
    switch (job) {
      case "map" -> b.stream(source, Consumed.with(TEXT, NODE)).filter((k, v) -> v.get("amount").asDouble() >= 0)
          .mapValues(v -> { ((ObjectNode) v).put("vat", v.get("amount").asDouble() * 0.2); return v; })
          .to(out, Produced.with(TEXT, NODE));
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
      case "window" -> b.stream(source, Consumed.with(TEXT, NODE)).groupByKey(Grouped.with(TEXT, NODE))
          .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(1)))
          .aggregate(() -> 0.0, (k, v, x) -> x + v.get("amount").asDouble(),
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
        b.stream(source, Consumed.with(TEXT, NODE))
            .join(names, (v, name) -> name + ":" + v.get("page").asText(), Joined.with(TEXT, NODE, TEXT))
            .to(out, Produced.with(TEXT, TEXT));
      }
      case "streams" -> {
        var buys = b.stream(second, Consumed.with(TEXT, TEXT));
        b.stream(source, Consumed.with(TEXT, NODE))
            .join(buys, (v, buy) -> v.get("page").asText() + ">" + buy,
                JoinWindows.ofTimeDifferenceAndGrace(Duration.ofSeconds(1), Duration.ofSeconds(1)),
                StreamJoined.with(TEXT, NODE, TEXT).withName("j").withStoreName("j"))
            .to(out, Produced.with(TEXT, TEXT));
      }
      case "class" -> {
        b.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("n"), TEXT, Serdes.Long()).withCachingEnabled());
        b.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("due"), Serdes.Long(), TEXT).withCachingEnabled());
        b.stream(source, Consumed.with(TEXT, BYTES)).process(Idle::new, "n", "due").to(out, Produced.with(TEXT, Serdes.Long()));
      }
      default -> throw new IllegalArgumentException(job);
    }
    return b.build();
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

  static double sum(List<Metric> ms) { double r = 0; for (var m : ms) r += (Double) m.metricValue(); return r; }

  static Map<TopicPartition, Long> ends(Admin admin, Collection<String> topics) throws Exception {
    Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
    for (var d : admin.describeTopics(topics).allTopicNames().get().values())
      for (var p : d.partitions()) asked.put(new TopicPartition(d.name(), p.partition()), OffsetSpec.latest());
    Map<TopicPartition, Long> found = new HashMap<>();
    for (Map.Entry<TopicPartition, ListOffsetsResultInfo> e : admin.listOffsets(asked).all().get().entrySet()) found.put(e.getKey(), e.getValue().offset());
    return found;
  }

  /** True if the group has committed all of these topics; the last record of one that is written in transactions is followed by a marker. */
  static boolean isDone(Admin admin, String app, Collection<String> topics) throws Exception {
    var c = admin.listConsumerGroupOffsets(app).partitionsToOffsetAndMetadata().get();
    for (var e : ends(admin, topics).entrySet()) {
      var o = c.get(e.getKey());
      if (e.getValue() > 0 && (o == null || o.offset() < e.getValue() - (e.getKey().topic().startsWith(app) ? 1 : 0))) return false;
    }
    return true;
  }

  public static void main(String[] a) throws Exception {
    String job = a[0], app = "streams-" + job + "-" + System.nanoTime();
    long n = Long.parseLong(a[5]);
    Properties p = new Properties();
    p.put("application.id", app);
    p.put("bootstrap.servers", a[1]);
    p.put("state.dir", a[6]);
    p.put("auto.offset.reset", "earliest");
    p.put("replication.factor", "1");
    for (int i = 7; i < a.length; i++) { int q = a[i].indexOf('='); p.put(a[i].substring(0, q), a[i].substring(q + 1)); }
    Admin admin = Admin.create(Map.of("bootstrap.servers", a[1]));
    List<String> read = new ArrayList<>(List.of(a[2]));
    if (job.equals("table") || job.equals("streams")) read.add(a[3]);
    if (job.equals("words")) read.add(app + "-words-repartition");

    KafkaStreams ks = new KafkaStreams(topology(job, a[2], a[3], a[4]), p);
    ks.setUncaughtExceptionHandler(e -> { e.printStackTrace(); Runtime.getRuntime().halt(1); return null; });
    ks.start();
    while (ks.state() != KafkaStreams.State.RUNNING) Thread.sleep(1);
    List<Metric> processed = new ArrayList<>();
    var os = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long t0 = 0, th = 0, tc = 0;
    double c0 = 0, ch = 0, rh = 0;
    int turn = 0;
    while (tc == 0) {
      Thread.sleep(5);
      if (t0 == 0 || turn % 50 == 0) {
        processed.clear();
        for (var m : ks.metrics().values())
          if (m.metricName().name().equals("process-total") && m.metricName().group().equals("stream-thread-metrics")) processed.add(m);
      }
      turn++;
      double x = sum(processed);
      if (t0 == 0 && x > 0) { t0 = System.nanoTime(); c0 = os.getProcessCpuTime(); }
      if (th == 0 && x >= n / 2) { th = System.nanoTime(); ch = os.getProcessCpuTime(); rh = x; }
      if (x >= n && turn % 4 == 0 && isDone(admin, app, read)) tc = System.nanoTime();
    }
    double ce = os.getProcessCpuTime();
    long peak = 0;
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) if (line.startsWith("VmHWM")) peak = Long.parseLong(line.replaceAll("\\D+", ""));
    System.out.printf(Locale.ROOT, "{\"rate\": %.1f, \"cpu_us\": %.4f, \"late_rate\": %.1f, \"late_cpu_us\": %.4f, \"peak_mb\": %.1f}%n",
        n / ((tc - t0) / 1e9), (ce - c0) / n / 1e3, (n - rh) / ((tc - th) / 1e9), (ce - ch) / (n - rh) / 1e3, peak / 1024.0);
    ks.close(Duration.ofSeconds(20));
    ks.cleanUp();
    List<String> mine = new ArrayList<>();
    for (String t : admin.listTopics().names().get()) if (t.startsWith(app)) mine.add(t);
    admin.deleteTopics(mine).all().get();
    System.exit(0);
  }
}
