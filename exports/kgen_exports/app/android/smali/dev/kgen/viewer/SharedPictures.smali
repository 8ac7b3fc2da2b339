# Hands out the pictures that were shared, to the apps that they were shared with, and nothing else.
#
# Not exported: an app can read an address here only with the permission that came in its Intent.
# Pictures are files of the cache, in the folder "shared", with the names that Bridge gives them.
.class public final Ldev/kgen/viewer/SharedPictures;
.super Landroid/content/ContentProvider;

.method public constructor <init>()V
    .registers 1
    invoke-direct {p0}, Landroid/content/ContentProvider;-><init>()V
    return-void
.end method

.method public onCreate()Z
    .registers 2
    const/4 v0, 0x1
    return v0
.end method

# new File(new File(context.getCacheDir(), "shared"), name)
.method public static fileOf(Landroid/content/Context;Ljava/lang/String;)Ljava/io/File;
    .registers 5
    new-instance v0, Ljava/io/File;
    invoke-virtual {p0}, Landroid/content/Context;->getCacheDir()Ljava/io/File;
    move-result-object v1
    const-string v2, "shared"
    invoke-direct {v0, v1, v2}, Ljava/io/File;-><init>(Ljava/io/File;Ljava/lang/String;)V
    new-instance v1, Ljava/io/File;
    invoke-direct {v1, v0, p1}, Ljava/io/File;-><init>(Ljava/io/File;Ljava/lang/String;)V
    return-object v1
.end method

# Uri.parse("content://" + context.getPackageName() + ".pictures/" + name)
.method public static addressOf(Landroid/content/Context;Ljava/lang/String;)Landroid/net/Uri;
    .registers 4
    const-string v0, "content://"
    invoke-virtual {p0}, Landroid/content/Context;->getPackageName()Ljava/lang/String;
    move-result-object v1
    invoke-virtual {v0, v1}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, ".pictures/"
    invoke-virtual {v0, v1}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    invoke-virtual {v0, p1}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    invoke-static {v0}, Landroid/net/Uri;->parse(Ljava/lang/String;)Landroid/net/Uri;
    move-result-object v0
    return-object v0
.end method

# The file of an address. The name in it is another app's word: "%2e%2e%2fkey" reads "../key" here.
.method private find(Landroid/net/Uri;)Ljava/io/File;
    .registers 4
    .annotation system Ldalvik/annotation/Throws;
        value = { Ljava/io/FileNotFoundException; }
    .end annotation
    invoke-virtual {p1}, Landroid/net/Uri;->getLastPathSegment()Ljava/lang/String;
    move-result-object v0
    if-eqz v0, :refuse
    const-string v1, "[A-Za-z0-9_-]+\\.png"
    invoke-virtual {v0, v1}, Ljava/lang/String;->matches(Ljava/lang/String;)Z
    move-result v1
    if-eqz v1, :refuse
    invoke-virtual {p0}, Ldev/kgen/viewer/SharedPictures;->getContext()Landroid/content/Context;
    move-result-object v1
    invoke-static {v1, v0}, Ldev/kgen/viewer/SharedPictures;->fileOf(Landroid/content/Context;Ljava/lang/String;)Ljava/io/File;
    move-result-object v0
    return-object v0
    :refuse
    new-instance v0, Ljava/io/FileNotFoundException;
    const-string v1, "No such picture."
    invoke-direct {v0, v1}, Ljava/io/FileNotFoundException;-><init>(Ljava/lang/String;)V
    throw v0
.end method

# For reading only. 0x10000000 is ParcelFileDescriptor.MODE_READ_ONLY.
.method public openFile(Landroid/net/Uri;Ljava/lang/String;)Landroid/os/ParcelFileDescriptor;
    .registers 5
    .annotation system Ldalvik/annotation/Throws;
        value = { Ljava/io/FileNotFoundException; }
    .end annotation
    const-string v0, "r"
    invoke-virtual {v0, p2}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v0
    if-nez v0, :reading
    new-instance v0, Ljava/lang/SecurityException;
    const-string v1, "Pictures are for reading."
    invoke-direct {v0, v1}, Ljava/lang/SecurityException;-><init>(Ljava/lang/String;)V
    throw v0
    :reading
    invoke-direct {p0, p1}, Ldev/kgen/viewer/SharedPictures;->find(Landroid/net/Uri;)Ljava/io/File;
    move-result-object v0
    const/high16 v1, 0x10000000
    invoke-static {v0, v1}, Landroid/os/ParcelFileDescriptor;->open(Ljava/io/File;I)Landroid/os/ParcelFileDescriptor;
    move-result-object v0
    return-object v0
.end method

.method public getType(Landroid/net/Uri;)Ljava/lang/String;
    .registers 3
    const-string v0, "image/png"
    return-object v0
.end method

# One row: of the columns that are asked for, the name and the size; the others are null.
.method public query(Landroid/net/Uri;[Ljava/lang/String;Ljava/lang/String;[Ljava/lang/String;Ljava/lang/String;)Landroid/database/Cursor;
    .registers 14
    # v0 = the file; of an address without one, null
    :try_start
    invoke-direct {p0, p1}, Ldev/kgen/viewer/SharedPictures;->find(Landroid/net/Uri;)Ljava/io/File;
    move-result-object v0
    :found
    .catch Ljava/io/FileNotFoundException; {:try_start .. :found} :none

    # if (columns == null) columns = {"_display_name", "_size"}; v2 and v3 hold these names
    const-string v2, "_display_name"
    const-string v3, "_size"
    if-nez p2, :asked
    filled-new-array {v2, v3}, [Ljava/lang/String;
    move-result-object p2
    :asked

    # row = new Object[columns.length]; for (i...) row[i] = ...
    array-length v4, p2
    new-array v5, v4, [Ljava/lang/Object;
    const/4 v6, 0x0
    :next
    if-ge v6, v4, :full
    aget-object v7, p2, v6
    invoke-virtual {v2, v7}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v1
    if-eqz v1, :not_name
    invoke-virtual {v0}, Ljava/io/File;->getName()Ljava/lang/String;
    move-result-object v1
    aput-object v1, v5, v6
    :not_name
    invoke-virtual {v3, v7}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v1
    if-eqz v1, :not_size
    invoke-virtual {v0}, Ljava/io/File;->length()J
    move-result-wide p3
    invoke-static {p3, p4}, Ljava/lang/Long;->valueOf(J)Ljava/lang/Long;
    move-result-object v1
    aput-object v1, v5, v6
    :not_size
    add-int/lit8 v6, v6, 0x1
    goto :next

    :full
    new-instance v1, Landroid/database/MatrixCursor;
    invoke-direct {v1, p2}, Landroid/database/MatrixCursor;-><init>([Ljava/lang/String;)V
    invoke-virtual {v1, v5}, Landroid/database/MatrixCursor;->addRow([Ljava/lang/Object;)V
    return-object v1
    :none
    move-exception v0
    const/4 v0, 0x0
    return-object v0
.end method

.method public insert(Landroid/net/Uri;Landroid/content/ContentValues;)Landroid/net/Uri;
    .registers 4
    new-instance v0, Ljava/lang/UnsupportedOperationException;
    invoke-direct {v0}, Ljava/lang/UnsupportedOperationException;-><init>()V
    throw v0
.end method

.method public update(Landroid/net/Uri;Landroid/content/ContentValues;Ljava/lang/String;[Ljava/lang/String;)I
    .registers 6
    new-instance v0, Ljava/lang/UnsupportedOperationException;
    invoke-direct {v0}, Ljava/lang/UnsupportedOperationException;-><init>()V
    throw v0
.end method

.method public delete(Landroid/net/Uri;Ljava/lang/String;[Ljava/lang/String;)I
    .registers 5
    new-instance v0, Ljava/lang/UnsupportedOperationException;
    invoke-direct {v0}, Ljava/lang/UnsupportedOperationException;-><init>()V
    throw v0
.end method
