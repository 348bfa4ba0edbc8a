import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/**
 * An event in Avro, read and written field by field with the Avro library's decoder and encoder, which are used again for
 * each record: what generated classes do, without their detour over the schema.
 */
class Click {
  String user, page, country;
  double amount, vat;
  long ts;

  static final Serde<Click> READ = Serdes.serdeFrom((topic, click) -> click == null ? null : click.write(false), (topic, data) -> data == null ? null : read(data));
  static final Serde<Click> WITH_VAT = Serdes.serdeFrom((topic, click) -> click == null ? null : click.write(true), (topic, data) -> { throw new UnsupportedOperationException(); });

  private static final ThreadLocal<BinaryDecoder> DECODER = new ThreadLocal<>();
  private static final ThreadLocal<Output> OUTPUT = ThreadLocal.withInitial(Output::new);

  private static class Output {
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
    final BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(bytes, null);
  }

  static Click read(byte[] data) {
    try {
      BinaryDecoder d = DecoderFactory.get().binaryDecoder(data, DECODER.get());
      DECODER.set(d);
      Click c = new Click();
      c.user = d.readString();
      c.page = d.readString();
      c.amount = d.readDouble();
      c.country = d.readString();
      c.ts = d.readLong();
      return c;
    } catch (IOException e) { throw new UncheckedIOException(e); }
  }

  byte[] write(boolean withVat) {
    try {
      Output o = OUTPUT.get();
      o.bytes.reset();
      o.encoder.writeString(user);
      o.encoder.writeString(page);
      o.encoder.writeDouble(amount);
      o.encoder.writeString(country);
      o.encoder.writeLong(ts);
      if (withVat) o.encoder.writeDouble(vat);
      o.encoder.flush();
      return o.bytes.toByteArray();
    } catch (IOException e) { throw new UncheckedIOException(e); }
  }
}
