package android.webkit;

import java.io.InputStream;
import java.util.Map;

public class WebResourceResponse {
  public String type, charset, reason;
  public int status;
  public Map<String, String> headers;
  public InputStream content;

  public WebResourceResponse(
      String type,
      String charset,
      int status,
      String reason,
      Map<String, String> headers,
      InputStream content) {
    this.type = type;
    this.charset = charset;
    this.status = status;
    this.reason = reason;
    this.headers = headers;
    this.content = content;
  }
}
