package android.os;

/** Keeps what a WebView saved. */
public class Bundle {
  public String page;
}
