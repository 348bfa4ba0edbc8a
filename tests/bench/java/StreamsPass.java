import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;

/** Passes records through, for the measurement of latency. usage: StreamsPass BOOTSTRAP IN OUT STATE_DIR [setting=value ...] */
public class StreamsPass {
  public static void main(String[] a) throws Exception {
    Properties p = new Properties();
    p.put("application.id", "pass-" + a[1]);
    p.put("bootstrap.servers", a[0]);
    p.put("state.dir", a[3]);
    p.put("auto.offset.reset", "earliest");
    for (int i = 4; i < a.length; i++) { int q = a[i].indexOf('='); p.put(a[i].substring(0, q), a[i].substring(q + 1)); }
    var b = new StreamsBuilder();
    var bytes = Serdes.ByteArray();
    b.stream(a[1], Consumed.with(bytes, bytes)).mapValues(v -> v).to(a[2], Produced.with(bytes, bytes));
    var ks = new KafkaStreams(b.build(), p);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> ks.close(java.time.Duration.ofSeconds(5))));
    ks.start();
    while (ks.state() != KafkaStreams.State.RUNNING) Thread.sleep(10);
    System.out.println("RUNNING");
    Thread.currentThread().join();
  }
}
