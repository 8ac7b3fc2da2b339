package android.content;

import java.util.TreeMap;

public class ContentValues {
  public TreeMap<String, Object> map = new TreeMap<>();

  public void put(String name, String value) {
    map.put(name, value);
  }

  public void put(String name, Integer value) {
    map.put(name, value);
  }

  public void clear() {
    map.clear();
  }
}
