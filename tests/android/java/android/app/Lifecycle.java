package android.app;

import android.content.Intent;
import android.os.Bundle;

/** Calls an activity as Android does; what it calls is protected. */
public class Lifecycle {
  public static void create(Activity activity, Bundle saved) {
    activity.onCreate(saved);
  }

  public static void save(Activity activity, Bundle saved) {
    activity.onSaveInstanceState(saved);
  }

  public static void result(Activity activity, int code, int result, Intent data) {
    activity.onActivityResult(code, result, data);
  }

  public static void destroy(Activity activity) {
    activity.onDestroy();
  }
}
