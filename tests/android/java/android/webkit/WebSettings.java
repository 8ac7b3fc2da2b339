package android.webkit;

public class WebSettings {
  public boolean scripts, storage, files = true;

  public void setJavaScriptEnabled(boolean on) {
    scripts = on;
  }

  public void setDomStorageEnabled(boolean on) {
    storage = on;
  }

  public void setAllowFileAccess(boolean on) {
    files = on;
  }
}
