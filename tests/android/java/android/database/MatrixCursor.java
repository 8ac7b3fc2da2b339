package android.database;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

public class MatrixCursor implements Cursor {
  public String[] columns;
  public List<String> rows = new ArrayList<>();

  public MatrixCursor(String[] columns) {
    this.columns = columns;
  }

  public void addRow(Object[] row) {
    if (row.length != columns.length) throw new IllegalArgumentException();
    rows.add(Arrays.toString(row));
  }
}
