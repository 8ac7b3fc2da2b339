package android.content;

import android.net.Uri;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;

/** A gallery that notes what is done to it, and can be full. */
public class ContentResolver {
  public static boolean full, closed;
  public List<String> calls = new ArrayList<>();
  public ByteArrayOutputStream written = new ByteArrayOutputStream();

  public Uri insert(Uri table, ContentValues values) {
    calls.add("insert " + table + " " + values.map);
    return closed ? null : Uri.parse("content://media/1");
  }

  public OutputStream openOutputStream(Uri uri) throws IOException {
    calls.add("write " + uri);
    if (full) throw new IOException("No space left on device");
    return written;
  }

  public int update(Uri uri, ContentValues values, String where, String[] arguments) {
    calls.add("update " + uri + " " + values.map);
    return 1;
  }

  public int delete(Uri uri, String where, String[] arguments) {
    calls.add("delete " + uri);
    return 1;
  }
}
