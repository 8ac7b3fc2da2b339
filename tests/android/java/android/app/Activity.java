package android.app;

import android.content.ActivityNotFoundException;
import android.content.Context;
import android.content.Intent;
import android.os.Bundle;
import android.view.View;

public class Activity extends Context {
  public static boolean hasChooser = true;
  public View view;
  public Intent asked;
  public int code;
  public String left = "";

  protected void onCreate(Bundle saved) {}

  protected void onSaveInstanceState(Bundle saved) {}

  protected void onActivityResult(int code, int result, Intent data) {}

  protected void onDestroy() {
    left += "destroyed ";
  }

  public void onBackPressed() {
    left += "back ";
  }

  public void setContentView(View view) {
    this.view = view;
  }

  public void startActivityForResult(Intent intent, int code) {
    if (!hasChooser) throw new ActivityNotFoundException();
    asked = intent;
    this.code = code;
  }
}
