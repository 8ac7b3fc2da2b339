package android.webkit;

import android.os.Bundle;
import android.view.View;

public class WebView extends View {
  public WebSettings settings = new WebSettings();
  public WebViewClient client;
  public WebChromeClient chrome;
  public Object bridge;
  public String bridgeName, page;
  public int history;
  public boolean destroyed;

  public WebView(android.content.Context context) {
    super(context);
  }

  public WebSettings getSettings() {
    return settings;
  }

  public void setWebViewClient(WebViewClient client) {
    this.client = client;
  }

  public void setWebChromeClient(WebChromeClient chrome) {
    this.chrome = chrome;
  }

  public void addJavascriptInterface(Object bridge, String name) {
    this.bridge = bridge;
    bridgeName = name;
  }

  public void loadUrl(String url) {
    page = url;
    history++;
  }

  public boolean canGoBack() {
    return history > 1;
  }

  public void goBack() {
    history--;
  }

  public WebBackForwardList saveState(Bundle saved) {
    saved.page = page;
    return new WebBackForwardList();
  }

  public WebBackForwardList restoreState(Bundle saved) {
    if (saved.page == null) return null;
    page = saved.page;
    history = 1;
    return new WebBackForwardList();
  }

  public void destroy() {
    destroyed = true;
  }
}
