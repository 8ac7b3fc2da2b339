package android.content;

import android.content.res.AssetManager;
import java.io.File;

public class Context {
  /** Of every context: where its files are, and the gallery. */
  public static File root;
  public static boolean mounted = true;
  public ContentResolver resolver = new ContentResolver();
  public Intent started;

  public AssetManager getAssets() {
    return new AssetManager(new File(root, "assets"));
  }

  public File getCacheDir() {
    return new File(root, "cache");
  }

  public File getExternalFilesDir(String kind) {
    return mounted ? new File(root, kind) : null;
  }

  public String getPackageName() {
    return "org.example.pix";
  }

  public ContentResolver getContentResolver() {
    return resolver;
  }

  public void startActivity(Intent intent) {
    started = intent;
  }
}
