package android.content;

import android.database.Cursor;
import android.net.Uri;
import android.os.ParcelFileDescriptor;
import java.io.FileNotFoundException;

public abstract class ContentProvider {
  public Context context;

  public final Context getContext() {
    return context;
  }

  public abstract boolean onCreate();

  public abstract String getType(Uri uri);

  public abstract Cursor query(Uri u, String[] columns, String where, String[] args, String order);

  public abstract Uri insert(Uri uri, ContentValues values);

  public abstract int update(Uri uri, ContentValues values, String where, String[] arguments);

  public abstract int delete(Uri uri, String where, String[] arguments);

  public ParcelFileDescriptor openFile(Uri uri, String mode) throws FileNotFoundException {
    throw new FileNotFoundException();
  }
}
