# What the page calls as `KgenAndroid`: save a picture, hand a picture to another app.
#
# A name and a PNG in base64 come from the page. Nothing else is reachable from it, and what goes wrong
# is thrown, which the page sees as an Error.
.class public final Ldev/kgen/viewer/Bridge;
.super Ljava/lang/Object;

.field private final activity:Landroid/app/Activity;

.method public constructor <init>(Landroid/app/Activity;)V
    .registers 2
    invoke-direct {p0}, Ljava/lang/Object;-><init>()V
    iput-object p1, p0, Ldev/kgen/viewer/Bridge;->activity:Landroid/app/Activity;
    return-void
.end method

# String save(String name, String base64): returns where the picture is now.
.method public save(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    .registers 6
    .annotation runtime Landroid/webkit/JavascriptInterface;
    .end annotation
    invoke-static {p1}, Ldev/kgen/viewer/Bridge;->fileName(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const/4 v1, 0x0
    invoke-static {p2, v1}, Landroid/util/Base64;->decode(Ljava/lang/String;I)[B
    move-result-object v1

    # Since Android 10 an app may add pictures to the gallery without a permission.
    sget v2, Landroid/os/Build$VERSION;->SDK_INT:I
    const/16 p1, 0x1d
    if-lt v2, p1, :older
    invoke-direct {p0, v0, v1}, Ldev/kgen/viewer/Bridge;->addToGallery(Ljava/lang/String;[B)Ljava/lang/String;
    move-result-object v0
    return-object v0
    :older
    invoke-direct {p0, v0, v1}, Ldev/kgen/viewer/Bridge;->addToFolder(Ljava/lang/String;[B)Ljava/lang/String;
    move-result-object v0
    return-object v0
.end method

# void share(String name, String base64): the system asks which app takes the picture.
.method public share(Ljava/lang/String;Ljava/lang/String;)V
    .registers 8
    .annotation runtime Landroid/webkit/JavascriptInterface;
    .end annotation
    # v0 = its name, v1 = its file among those that SharedPictures hands out
    invoke-static {p1}, Ldev/kgen/viewer/Bridge;->fileName(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    iget-object v2, p0, Ldev/kgen/viewer/Bridge;->activity:Landroid/app/Activity;
    invoke-static {v2, v0}, Ldev/kgen/viewer/SharedPictures;->fileOf(Landroid/content/Context;Ljava/lang/String;)Ljava/io/File;
    move-result-object v1
    const/4 v3, 0x0
    invoke-static {p2, v3}, Landroid/util/Base64;->decode(Ljava/lang/String;I)[B
    move-result-object v3
    invoke-static {v1, v3}, Ldev/kgen/viewer/Bridge;->write(Ljava/io/File;[B)V

    # v1 = its address
    invoke-static {v2, v0}, Ldev/kgen/viewer/SharedPictures;->addressOf(Landroid/content/Context;Ljava/lang/String;)Landroid/net/Uri;
    move-result-object v1

    # intent = new Intent(ACTION_SEND).setType(...).putExtra(EXTRA_STREAM, address), which may be read
    # by whoever gets it: the permission goes with the clip.
    new-instance v3, Landroid/content/Intent;
    const-string v4, "android.intent.action.SEND"
    invoke-direct {v3, v4}, Landroid/content/Intent;-><init>(Ljava/lang/String;)V
    const-string v4, "image/png"
    invoke-virtual {v3, v4}, Landroid/content/Intent;->setType(Ljava/lang/String;)Landroid/content/Intent;
    const-string v4, "android.intent.extra.STREAM"
    invoke-virtual {v3, v4, v1}, Landroid/content/Intent;->putExtra(Ljava/lang/String;Landroid/os/Parcelable;)Landroid/content/Intent;
    invoke-static {v0, v1}, Landroid/content/ClipData;->newRawUri(Ljava/lang/CharSequence;Landroid/net/Uri;)Landroid/content/ClipData;
    move-result-object v1
    invoke-virtual {v3, v1}, Landroid/content/Intent;->setClipData(Landroid/content/ClipData;)V
    const/4 v1, 0x1
    invoke-virtual {v3, v1}, Landroid/content/Intent;->addFlags(I)Landroid/content/Intent;

    # activity.startActivity(Intent.createChooser(intent, null))
    const/4 v1, 0x0
    invoke-static {v3, v1}, Landroid/content/Intent;->createChooser(Landroid/content/Intent;Ljava/lang/CharSequence;)Landroid/content/Intent;
    move-result-object v1
    invoke-virtual {v2, v1}, Landroid/app/Activity;->startActivity(Landroid/content/Intent;)V
    return-void
.end method

# name.replaceAll("\\.png$", "").replaceAll("[^A-Za-z0-9_-]+", "-") + ".png"
# What is left is no path, and begins with no dot.
.method private static fileName(Ljava/lang/String;)Ljava/lang/String;
    .registers 3
    const-string v0, "\\.png$"
    const-string v1, ""
    invoke-virtual {p0, v0, v1}, Ljava/lang/String;->replaceAll(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    move-result-object p0
    const-string v0, "[^A-Za-z0-9_-]+"
    const-string v1, "-"
    invoke-virtual {p0, v0, v1}, Ljava/lang/String;->replaceAll(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    move-result-object p0
    invoke-virtual {p0}, Ljava/lang/String;->isEmpty()Z
    move-result v0
    if-eqz v0, :named
    const-string p0, "picture"
    :named
    const-string v0, ".png"
    invoke-virtual {p0, v0}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object p0
    return-object p0
.end method

# Into Pictures/kgen of the gallery; hidden until it is whole, and gone if that fails.
.method private addToGallery(Ljava/lang/String;[B)Ljava/lang/String;
    .registers 9
    # values = {name, type, folder, pending}
    new-instance v0, Landroid/content/ContentValues;
    invoke-direct {v0}, Landroid/content/ContentValues;-><init>()V
    const-string v1, "_display_name"
    invoke-virtual {v0, v1, p1}, Landroid/content/ContentValues;->put(Ljava/lang/String;Ljava/lang/String;)V
    const-string v1, "mime_type"
    const-string v2, "image/png"
    invoke-virtual {v0, v1, v2}, Landroid/content/ContentValues;->put(Ljava/lang/String;Ljava/lang/String;)V
    const-string v1, "relative_path"
    const-string v2, "Pictures/kgen"
    invoke-virtual {v0, v1, v2}, Landroid/content/ContentValues;->put(Ljava/lang/String;Ljava/lang/String;)V
    const-string v1, "is_pending"
    const/4 v2, 0x1
    invoke-static {v2}, Ljava/lang/Integer;->valueOf(I)Ljava/lang/Integer;
    move-result-object v2
    invoke-virtual {v0, v1, v2}, Landroid/content/ContentValues;->put(Ljava/lang/String;Ljava/lang/Integer;)V

    # v2 = resolver, v3 = resolver.insert(EXTERNAL_CONTENT_URI, values), v5 = null
    iget-object v2, p0, Ldev/kgen/viewer/Bridge;->activity:Landroid/app/Activity;
    invoke-virtual {v2}, Landroid/app/Activity;->getContentResolver()Landroid/content/ContentResolver;
    move-result-object v2
    sget-object v3, Landroid/provider/MediaStore$Images$Media;->EXTERNAL_CONTENT_URI:Landroid/net/Uri;
    invoke-virtual {v2, v3, v0}, Landroid/content/ContentResolver;->insert(Landroid/net/Uri;Landroid/content/ContentValues;)Landroid/net/Uri;
    move-result-object v3
    const/4 v5, 0x0
    if-nez v3, :inserted
    new-instance v0, Ljava/lang/IllegalStateException;
    const-string v1, "The gallery did not take the picture."
    invoke-direct {v0, v1}, Ljava/lang/IllegalStateException;-><init>(Ljava/lang/String;)V
    throw v0
    :inserted

    :try_start
    invoke-virtual {v2, v3}, Landroid/content/ContentResolver;->openOutputStream(Landroid/net/Uri;)Ljava/io/OutputStream;
    move-result-object v4
    invoke-virtual {v4, p2}, Ljava/io/OutputStream;->write([B)V
    invoke-virtual {v4}, Ljava/io/OutputStream;->close()V
    :written
    .catch Ljava/io/IOException; {:try_start .. :written} :failed

    # values = {not pending}; resolver.update(...)
    invoke-virtual {v0}, Landroid/content/ContentValues;->clear()V
    const/4 v4, 0x0
    invoke-static {v4}, Ljava/lang/Integer;->valueOf(I)Ljava/lang/Integer;
    move-result-object v4
    invoke-virtual {v0, v1, v4}, Landroid/content/ContentValues;->put(Ljava/lang/String;Ljava/lang/Integer;)V
    invoke-virtual {v2, v3, v0, v5, v5}, Landroid/content/ContentResolver;->update(Landroid/net/Uri;Landroid/content/ContentValues;Ljava/lang/String;[Ljava/lang/String;)I
    const-string v0, "Pictures/kgen/"
    invoke-virtual {v0, p1}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    return-object v0

    :failed
    move-exception v4
    invoke-virtual {v2, v3, v5, v5}, Landroid/content/ContentResolver;->delete(Landroid/net/Uri;Ljava/lang/String;[Ljava/lang/String;)I
    invoke-static {v4}, Ldev/kgen/viewer/Bridge;->unsaved(Ljava/io/IOException;)Ljava/lang/IllegalStateException;
    move-result-object v4
    throw v4
.end method

# Before Android 10: into the app's own folder of pictures, which takes no permission.
.method private addToFolder(Ljava/lang/String;[B)Ljava/lang/String;
    .registers 6
    iget-object v0, p0, Ldev/kgen/viewer/Bridge;->activity:Landroid/app/Activity;
    const-string v1, "Pictures"
    invoke-virtual {v0, v1}, Landroid/app/Activity;->getExternalFilesDir(Ljava/lang/String;)Ljava/io/File;
    move-result-object v0
    if-nez v0, :mounted
    new-instance v0, Ljava/lang/IllegalStateException;
    const-string v1, "The storage for pictures is not there."
    invoke-direct {v0, v1}, Ljava/lang/IllegalStateException;-><init>(Ljava/lang/String;)V
    throw v0
    :mounted
    new-instance v1, Ljava/io/File;
    invoke-direct {v1, v0, p1}, Ljava/io/File;-><init>(Ljava/io/File;Ljava/lang/String;)V
    invoke-static {v1, p2}, Ldev/kgen/viewer/Bridge;->write(Ljava/io/File;[B)V
    invoke-virtual {v1}, Ljava/io/File;->getPath()Ljava/lang/String;
    move-result-object v0
    return-object v0
.end method

.method private static write(Ljava/io/File;[B)V
    .registers 4
    :try_start
    invoke-virtual {p0}, Ljava/io/File;->getParentFile()Ljava/io/File;
    move-result-object v0
    invoke-virtual {v0}, Ljava/io/File;->mkdirs()Z
    new-instance v0, Ljava/io/FileOutputStream;
    invoke-direct {v0, p0}, Ljava/io/FileOutputStream;-><init>(Ljava/io/File;)V
    invoke-virtual {v0, p1}, Ljava/io/FileOutputStream;->write([B)V
    invoke-virtual {v0}, Ljava/io/FileOutputStream;->close()V
    :written
    .catch Ljava/io/IOException; {:try_start .. :written} :failed
    return-void
    :failed
    move-exception v0
    invoke-static {v0}, Ldev/kgen/viewer/Bridge;->unsaved(Ljava/io/IOException;)Ljava/lang/IllegalStateException;
    move-result-object v0
    throw v0
.end method

# new IllegalStateException("The picture was not saved: " + error.getMessage(), error)
.method private static unsaved(Ljava/io/IOException;)Ljava/lang/IllegalStateException;
    .registers 4
    const-string v0, "The picture was not saved: "
    invoke-virtual {p0}, Ljava/io/IOException;->getMessage()Ljava/lang/String;
    move-result-object v1
    invoke-static {v1}, Ljava/lang/String;->valueOf(Ljava/lang/Object;)Ljava/lang/String;
    move-result-object v1
    invoke-virtual {v0, v1}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    new-instance v1, Ljava/lang/IllegalStateException;
    invoke-direct {v1, v0, p0}, Ljava/lang/IllegalStateException;-><init>(Ljava/lang/String;Ljava/lang/Throwable;)V
    return-object v1
.end method
