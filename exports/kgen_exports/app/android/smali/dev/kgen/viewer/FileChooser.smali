# Lets <input type="file"> open the system's file chooser: a WebView does nothing by itself.
.class public final Ldev/kgen/viewer/FileChooser;
.super Landroid/webkit/WebChromeClient;

.field private final activity:Landroid/app/Activity;
.field private waiting:Landroid/webkit/ValueCallback;

.method public constructor <init>(Landroid/app/Activity;)V
    .registers 2
    invoke-direct {p0}, Landroid/webkit/WebChromeClient;-><init>()V
    iput-object p1, p0, Ldev/kgen/viewer/FileChooser;->activity:Landroid/app/Activity;
    return-void
.end method

# The callback must be answered, or the page can never open a chooser again.
.method public onShowFileChooser(Landroid/webkit/WebView;Landroid/webkit/ValueCallback;Landroid/webkit/WebChromeClient$FileChooserParams;)Z
    .registers 7
    const/4 v0, 0x0
    invoke-direct {p0, v0}, Ldev/kgen/viewer/FileChooser;->answer([Landroid/net/Uri;)V
    iput-object p2, p0, Ldev/kgen/viewer/FileChooser;->waiting:Landroid/webkit/ValueCallback;

    # activity.startActivityForResult(params.createIntent(), 1)
    invoke-virtual {p3}, Landroid/webkit/WebChromeClient$FileChooserParams;->createIntent()Landroid/content/Intent;
    move-result-object v1
    const/4 v2, 0x1
    :try_start
    iget-object v0, p0, Ldev/kgen/viewer/FileChooser;->activity:Landroid/app/Activity;
    invoke-virtual {v0, v1, v2}, Landroid/app/Activity;->startActivityForResult(Landroid/content/Intent;I)V
    :started
    .catch Landroid/content/ActivityNotFoundException; {:try_start .. :started} :no_chooser
    return v2

    # A device without one: false leaves the callback to the WebView.
    :no_chooser
    move-exception v0
    const/4 v0, 0x0
    iput-object v0, p0, Ldev/kgen/viewer/FileChooser;->waiting:Landroid/webkit/ValueCallback;
    const/4 v0, 0x0
    return v0
.end method

# What was chosen, handed to the page; of a chooser that was left, nothing.
.method public finish(ILandroid/content/Intent;)V
    .registers 4
    invoke-static {p1, p2}, Landroid/webkit/WebChromeClient$FileChooserParams;->parseResult(ILandroid/content/Intent;)[Landroid/net/Uri;
    move-result-object v0
    invoke-direct {p0, v0}, Ldev/kgen/viewer/FileChooser;->answer([Landroid/net/Uri;)V
    return-void
.end method

# if (waiting != null) waiting.onReceiveValue(chosen); waiting = null
.method private answer([Landroid/net/Uri;)V
    .registers 3
    iget-object v0, p0, Ldev/kgen/viewer/FileChooser;->waiting:Landroid/webkit/ValueCallback;
    if-eqz v0, :nobody
    invoke-interface {v0, p1}, Landroid/webkit/ValueCallback;->onReceiveValue(Ljava/lang/Object;)V
    const/4 v0, 0x0
    iput-object v0, p0, Ldev/kgen/viewer/FileChooser;->waiting:Landroid/webkit/ValueCallback;
    :nobody
    return-void
.end method
