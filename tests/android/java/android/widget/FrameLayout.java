package android.widget;

import android.view.View;
import java.util.ArrayList;
import java.util.List;

public class FrameLayout extends View {
  public List<View> children = new ArrayList<>();

  public FrameLayout(android.content.Context context) {
    super(context);
  }

  public void addView(View view) {
    children.add(view);
  }

  public void removeAllViews() {
    children.clear();
  }
}
