package android.os;

import java.io.File;
import java.io.FileNotFoundException;

public class ParcelFileDescriptor {
  public File file;
  public int mode;

  public static ParcelFileDescriptor open(File file, int mode) throws FileNotFoundException {
    if (!file.isFile()) throw new FileNotFoundException(file.getPath());
    ParcelFileDescriptor opened = new ParcelFileDescriptor();
    opened.file = file;
    opened.mode = mode;
    return opened;
  }
}
