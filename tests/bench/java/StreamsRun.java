import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.*;
import java.util.function.Function;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.*;

/**
 * Runs a topology over topics that are already loaded, and prints its figures as one line of JSON.
 *
 * The clock starts at the first processed record and stops when the group's committed offsets, seen from outside, have
 * reached the ends of all topics that the app reads, those of its own for repartitioning included. (The consumer's
 * metric moves only when a whole fetch is drained, so it would start the clock far too late.)
 *
 * The second half is that of the processed records; where there are topics for repartitioning, these hold more records
 * than were counted, and its figures are not a number.
 */
final class StreamsRun {
  private final String app;
  private final Admin admin;
  private final Set<String> read;

  private StreamsRun(String app, Admin admin, Collection<String> sources) {
    this.app = app;
    this.admin = admin;
    this.read = new TreeSet<>(sources);
  }

  /** Topologies may depend on settings. `given` are texts setting=value from `first` on. */
  static void run(String job, String bootstrap, Collection<String> sources, long records, String folder, String[] given, int first,
      Function<Properties, Topology> topology) throws Exception {
    Properties p = new Properties();
    p.put("application.id", "streams-" + job + "-" + System.nanoTime());
    p.put("bootstrap.servers", bootstrap);
    p.put("state.dir", folder);
    p.put("auto.offset.reset", "earliest");
    p.put("replication.factor", "1");
    for (int i = first; i < given.length; i++) { int q = given[i].indexOf('='); p.put(given[i].substring(0, q), given[i].substring(q + 1)); }
    var run = new StreamsRun((String) p.get("application.id"), Admin.create(Map.of("bootstrap.servers", bootstrap)), sources);
    var streams = new KafkaStreams(topology.apply(p), p);
    streams.setUncaughtExceptionHandler(e -> { e.printStackTrace(); Runtime.getRuntime().halt(1); return null; });
    run.measure(streams, records);
    streams.close(Duration.ofSeconds(20));
    streams.cleanUp();
    run.admin.deleteTopics(run.own()).all().get();
    run.admin.close();
  }

  private void measure(KafkaStreams streams, long n) throws Exception {
    streams.start();
    while (streams.state() != KafkaStreams.State.RUNNING) Thread.sleep(1);
    List<Metric> processed = new ArrayList<>();
    var os = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long t0 = 0, th = 0, tc = 0;
    double c0 = 0, ch = 0, rh = 0;
    int turn = 0;
    while (tc == 0) {
      Thread.sleep(5);
      if (t0 == 0 || turn % 50 == 0) {
        processed.clear();
        for (var m : streams.metrics().values())
          if (m.metricName().name().equals("process-total") && m.metricName().group().equals("stream-thread-metrics")) processed.add(m);
      }
      turn++;
      double x = sum(processed);
      if (t0 == 0 && x > 0) { t0 = System.nanoTime(); c0 = os.getProcessCpuTime(); }
      if (th == 0 && x >= n / 2) {
        th = System.nanoTime(); ch = os.getProcessCpuTime(); rh = x;
        for (String topic : own()) if (!topic.endsWith("-changelog")) { read.add(topic); rh = n; }
      }
      if (x >= n && turn % 4 == 0 && isDone()) tc = System.nanoTime();
    }
    double ce = os.getProcessCpuTime(), late = rh < n ? n - rh : Double.NaN;
    long peak = 0;
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) if (line.startsWith("VmHWM")) peak = Long.parseLong(line.replaceAll("\\D+", ""));
    System.out.printf(Locale.ROOT, "{\"rate\": %.1f, \"cpu_us\": %.4f, \"late_rate\": %.1f, \"late_cpu_us\": %.4f, \"peak_mb\": %.1f}%n",
        n / ((tc - t0) / 1e9), (ce - c0) / n / 1e3, late / ((tc - th) / 1e9), (ce - ch) / late / 1e3, peak / 1024.0);
  }

  private static double sum(List<Metric> ms) { double r = 0; for (var m : ms) r += (Double) m.metricValue(); return r; }

  /** The topics that were made for this app. */
  private List<String> own() throws Exception {
    return admin.listTopics().names().get().stream().filter(t -> t.startsWith(app)).toList();
  }

  private Map<TopicPartition, Long> ends() throws Exception {
    Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
    for (var d : admin.describeTopics(read).allTopicNames().get().values())
      for (var p : d.partitions()) asked.put(new TopicPartition(d.name(), p.partition()), OffsetSpec.latest());
    Map<TopicPartition, Long> found = new HashMap<>();
    for (Map.Entry<TopicPartition, ListOffsetsResultInfo> e : admin.listOffsets(asked).all().get().entrySet()) found.put(e.getKey(), e.getValue().offset());
    return found;
  }

  /** True if the group has committed all that it reads; the last record of a topic written in transactions is followed by a marker. */
  private boolean isDone() throws Exception {
    // Order: first what is committed, then the ends; once the sources are committed, the ends of the other topics stay.
    var c = admin.listConsumerGroupOffsets(app).partitionsToOffsetAndMetadata().get();
    for (var e : ends().entrySet()) {
      var o = c.get(e.getKey());
      if (e.getValue() > 0 && (o == null || o.offset() < e.getValue() - (e.getKey().topic().startsWith(app) ? 1 : 0))) return false;
    }
    return true;
  }
}
