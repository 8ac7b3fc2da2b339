package android.content;

import android.os.Parcelable;
import java.util.TreeMap;

public class Intent implements Parcelable {
  public String action, type;
  public int flags;
  public ClipData clip;
  public Intent target;
  public TreeMap<String, Parcelable> extras = new TreeMap<>();

  public Intent(String action) {
    this.action = action;
  }

  public Intent setType(String type) {
    this.type = type;
    return this;
  }

  public Intent putExtra(String name, Parcelable value) {
    extras.put(name, value);
    return this;
  }

  public Intent addFlags(int more) {
    flags |= more;
    return this;
  }

  public void setClipData(ClipData clip) {
    this.clip = clip;
  }

  public static Intent createChooser(Intent target, CharSequence title) {
    Intent chooser = new Intent("android.intent.action.CHOOSER");
    chooser.target = target;
    return chooser;
  }
}
