package android.view;

public class View {
  public boolean fits;
  public int background = 1;

  public View(android.content.Context context) {}

  public void setFitsSystemWindows(boolean fits) {
    this.fits = fits;
  }

  public void setBackgroundColor(int colour) {
    background = colour;
  }
}
