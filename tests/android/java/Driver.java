import android.app.Activity;
import android.app.Lifecycle;
import android.content.ContentResolver;
import android.content.ContentProvider;
import android.content.Context;
import android.content.Intent;
import android.database.MatrixCursor;
import android.net.Uri;
import android.os.Build;
import android.os.Bundle;
import android.os.ParcelFileDescriptor;
import android.webkit.WebChromeClient;
import android.webkit.WebResourceResponse;
import android.webkit.WebView;
import android.widget.FrameLayout;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;

/**
 * Does to the app's classes what Android does, and tells what came of it: lines of a name, a tab and
 * a value. The first argument is the folder with the app's files, the others are addresses to ask for.
 */
public class Driver {
  static final String PNG = "aGVsbG8="; // "hello"

  public static void main(String[] arguments) throws Exception {
    Context.root = new File(arguments[0]);
    start();
    history();
    requests(Arrays.copyOfRange(arguments, 1, arguments.length));
    chooser();
    save();
    share();
  }

  static void tell(String name, Object value) {
    System.out.println(name + "\t" + value);
  }

  static Activity opened(Bundle saved) throws Exception {
    Class<?> main = Class.forName("dev.kgen.viewer.MainActivity");
    Activity activity = (Activity) main.getDeclaredConstructor().newInstance();
    Lifecycle.create(activity, saved);
    return activity;
  }

  static WebView viewOf(Activity activity) {
    return (WebView) ((FrameLayout) activity.view).children.get(0);
  }

  static void start() throws Exception {
    Activity activity = opened(null);
    WebView view = viewOf(activity);
    tell("start.page", view.page);
    tell("start.scripts", view.settings.scripts);
    tell("start.storage", view.settings.storage);
    tell("start.files", view.settings.files);
    tell("start.bridge", view.bridgeName);
    tell("start.clear of bars", activity.view.fits);
    tell("start.transparent", view.background == 0);
    Lifecycle.destroy(activity);
    tell("end", activity.left + view.destroyed + ((FrameLayout) activity.view).children.isEmpty());
  }

  static void history() throws Exception {
    Activity activity = opened(null);
    WebView view = viewOf(activity);
    view.loadUrl("https://appassets.androidplatform.net/index.html#play");
    Bundle saved = new Bundle();
    Lifecycle.save(activity, saved);
    tell("restored", viewOf(opened(saved)).page);
    tell("not restored", viewOf(opened(new Bundle())).page);
    activity.onBackPressed();
    tell("back.history", view.history + " " + activity.left);
    activity.onBackPressed();
    tell("back.end", view.history + " " + activity.left);
  }

  static void requests(String[] addresses) throws Exception {
    WebView view = viewOf(opened(null));
    for (String address : addresses) {
      Uri uri = Uri.parse(address);
      tell("stays " + address, view.client.shouldOverrideUrlLoading(view, () -> uri));
      WebResourceResponse r = view.client.shouldInterceptRequest(view, () -> uri);
      if (r == null) {
        tell("asked " + address, "left to the WebView");
        continue;
      }
      int length = r.content.readAllBytes().length;
      String charset = r.charset == null ? "" : "; charset=" + r.charset;
      tell("asked " + address, r.status + " " + r.reason + ", " + r.type + charset + ", " + length);
      for (var header : new TreeMap<>(r.headers).entrySet()) {
        tell("header " + address + " " + header.getKey(), header.getValue());
      }
    }
  }

  static void chooser() throws Exception {
    Activity activity = opened(null);
    WebView view = viewOf(activity);
    List<String> received = new ArrayList<>();
    WebChromeClient.FileChooserParams params =
        new WebChromeClient.FileChooserParams() {
          @Override
          public Intent createIntent() {
            return new Intent("choose");
          }
        };
    boolean shown = view.chrome.onShowFileChooser(view, v -> received.add("1" + text(v)), params);
    tell("chooser.shown", shown + " " + activity.asked.action);
    Lifecycle.result(activity, activity.code, -1, new Intent("content://photos/5"));
    Lifecycle.result(activity, activity.code, -1, new Intent("content://photos/6"));
    tell("chooser.chosen", received);
    view.chrome.onShowFileChooser(view, v -> received.add("2" + text(v)), params);
    Lifecycle.result(activity, activity.code, 0, null);
    tell("chooser.left", received);
    view.chrome.onShowFileChooser(view, v -> received.add("3" + text(v)), params);
    view.chrome.onShowFileChooser(view, v -> received.add("4" + text(v)), params);
    tell("chooser.again", received);
    Lifecycle.result(activity, activity.code, 0, null);
    Activity.hasChooser = false;
    received.clear();
    tell("chooser.none", view.chrome.onShowFileChooser(view, v -> received.add("5"), params));
    Activity.hasChooser = true;
    view.chrome.onShowFileChooser(view, v -> received.add("6" + text(v)), params);
    tell("chooser.after none", received);
  }

  static String text(Uri[] chosen) {
    return Arrays.toString(chosen);
  }

  static String call(Activity activity, String method, String name) throws Exception {
    Object bridge = viewOf(activity).bridge;
    try {
      return "" + bridge.getClass().getMethod(method, String.class, String.class)
          .invoke(bridge, name, PNG);
    } catch (java.lang.reflect.InvocationTargetException thrown) {
      return thrown.getCause().toString();
    }
  }

  static void save() throws Exception {
    Build.VERSION.SDK_INT = 29;
    Activity activity = opened(null);
    tell("save.gallery", call(activity, "save", "gan-seed-7.png"));
    tell("save.gallery calls", activity.resolver.calls);
    tell("save.gallery bytes", activity.resolver.written);
    ContentResolver.full = true;
    activity = opened(null);
    tell("save.full", call(activity, "save", "x.png"));
    tell("save.full calls", activity.resolver.calls.subList(1, activity.resolver.calls.size()));
    ContentResolver.full = false;
    ContentResolver.closed = true;
    tell("save.closed", call(opened(null), "save", "x.png"));
    ContentResolver.closed = false;
    Build.VERSION.SDK_INT = 28;
    activity = opened(null);
    File file = new File(call(activity, "save", "../../x y.png"));
    tell("save.older", Context.root.toPath().relativize(file.toPath()));
    tell("save.older bytes", Files.readString(file.toPath()));
    tell("save.older gallery", activity.resolver.calls);
    Context.mounted = false;
    tell("save.unmounted", call(opened(null), "save", "x.png"));
    Context.mounted = true;
    Files.createFile(Path.of(Context.root.getPath(), "Blocked"));
    File root = Context.root;
    Context.root = new File(root, "Blocked");
    tell("save.unwritable", call(opened(null), "save", "x.png").replace(root.getPath(), ""));
    Context.root = root;
    for (String odd : new String[] {"", ".png", "...", "a/b\\c:d"}) {
      file = new File(call(opened(null), "save", odd));
      tell("name " + odd, file.getName());
    }
  }

  static void share() throws Exception {
    Activity activity = opened(null);
    call(activity, "share", "vae-seed-7.png");
    Intent sent = activity.started.target;
    tell("share.intent", activity.started.action + " " + sent.action + " " + sent.type);
    tell("share.stream", sent.extras);
    tell("share.clip", sent.clip.uri + " " + sent.flags);
    ContentProvider provider =
        (ContentProvider) Class.forName("dev.kgen.viewer.SharedPictures")
            .getDeclaredConstructor().newInstance();
    provider.context = activity;
    tell("provider.starts", provider.onCreate());
    Uri uri = sent.clip.uri;
    ParcelFileDescriptor open = provider.openFile(uri, "r");
    tell("provider.reads", Files.readString(open.file.toPath()) + " " + (open.mode == 1 << 28));
    tell("provider.type", provider.getType(uri));
    for (String[] columns :
        new String[][] {null, {"_size"}, {"_data", "_display_name"}, {}}) {
      MatrixCursor row = (MatrixCursor) provider.query(uri, columns, null, null, null);
      tell("query " + Arrays.toString(columns), Arrays.toString(row.columns) + row.rows);
    }
    Files.writeString(new File(activity.getCacheDir(), "secret.png").toPath(), "secret");
    for (String odd : new String[] {"%2e%2e%2fsecret.png", "none.png", "", "secret", ".png"}) {
      Uri other = Uri.parse("content://org.example.pix.pictures/" + odd);
      tell("open " + odd, failure(() -> provider.openFile(other, "r")));
    }
    tell("query odd", provider.query(Uri.parse("content://x/%2e%2e"), null, null, null, null));
    tell("provider.writes", failure(() -> provider.openFile(uri, "rw")));
    tell("provider.inserts", failure(() -> provider.insert(uri, null)));
    tell("provider.updates", failure(() -> provider.update(uri, null, null, null)));
    tell("provider.deletes", failure(() -> provider.delete(uri, null, null)));
  }

  interface Action {
    Object run() throws Exception;
  }

  static String failure(Action action) {
    try {
      return "done: " + action.run();
    } catch (Exception error) {
      return error.getClass().getSimpleName();
    }
  }
}
