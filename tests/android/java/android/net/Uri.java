package android.net;

import android.os.Parcelable;
import java.net.URI;

public class Uri implements Parcelable {
  private final URI uri;

  private Uri(URI uri) {
    this.uri = uri;
  }

  public static Uri parse(String text) {
    return new Uri(URI.create(text));
  }

  public String getScheme() {
    return uri.getScheme();
  }

  public String getAuthority() {
    return uri.getRawAuthority();
  }

  public String getPath() {
    return uri.getPath();
  }

  /** Split before it is decoded, as Android's is. */
  public String getLastPathSegment() {
    String raw = uri.getRawPath();
    String last = raw.substring(raw.lastIndexOf('/') + 1);
    return last.isEmpty() ? null : URI.create("x:/" + last).getPath().substring(1);
  }

  @Override
  public String toString() {
    return uri.toString();
  }
}
