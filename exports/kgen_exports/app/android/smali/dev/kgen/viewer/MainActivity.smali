# The only screen: a WebView that shows the site in assets/www, and keeps its place.
#
# Smali, because Debian has an assembler for it and nothing that turns Java into a .dex. Registers: p0
# is `this`, p1.. the arguments; the Java that a block stands for is above it.
.class public final Ldev/kgen/viewer/MainActivity;
.super Landroid/app/Activity;

.field private frame:Landroid/widget/FrameLayout;
.field private view:Landroid/webkit/WebView;
.field private chooser:Ldev/kgen/viewer/FileChooser;

.method public constructor <init>()V
    .registers 1
    invoke-direct {p0}, Landroid/app/Activity;-><init>()V
    return-void
.end method

.method protected onCreate(Landroid/os/Bundle;)V
    .registers 6
    invoke-super {p0, p1}, Landroid/app/Activity;->onCreate(Landroid/os/Bundle;)V

    # view = new WebView(this); transparent, so that the theme's colour is seen until the page is
    new-instance v0, Landroid/webkit/WebView;
    invoke-direct {v0, p0}, Landroid/webkit/WebView;-><init>(Landroid/content/Context;)V
    iput-object v0, p0, Ldev/kgen/viewer/MainActivity;->view:Landroid/webkit/WebView;
    const/4 v3, 0x0
    invoke-virtual {v0, v3}, Landroid/webkit/WebView;->setBackgroundColor(I)V

    # Scripts and localStorage, no file: addresses.
    invoke-virtual {v0}, Landroid/webkit/WebView;->getSettings()Landroid/webkit/WebSettings;
    move-result-object v1
    const/4 v2, 0x1
    invoke-virtual {v1, v2}, Landroid/webkit/WebSettings;->setJavaScriptEnabled(Z)V
    invoke-virtual {v1, v2}, Landroid/webkit/WebSettings;->setDomStorageEnabled(Z)V
    invoke-virtual {v1, v3}, Landroid/webkit/WebSettings;->setAllowFileAccess(Z)V

    # view.setWebViewClient(new SiteClient(getAssets()))
    new-instance v1, Ldev/kgen/viewer/SiteClient;
    invoke-virtual {p0}, Ldev/kgen/viewer/MainActivity;->getAssets()Landroid/content/res/AssetManager;
    move-result-object v2
    invoke-direct {v1, v2}, Ldev/kgen/viewer/SiteClient;-><init>(Landroid/content/res/AssetManager;)V
    invoke-virtual {v0, v1}, Landroid/webkit/WebView;->setWebViewClient(Landroid/webkit/WebViewClient;)V

    # view.setWebChromeClient(chooser = new FileChooser(this))
    new-instance v1, Ldev/kgen/viewer/FileChooser;
    invoke-direct {v1, p0}, Ldev/kgen/viewer/FileChooser;-><init>(Landroid/app/Activity;)V
    iput-object v1, p0, Ldev/kgen/viewer/MainActivity;->chooser:Ldev/kgen/viewer/FileChooser;
    invoke-virtual {v0, v1}, Landroid/webkit/WebView;->setWebChromeClient(Landroid/webkit/WebChromeClient;)V

    # view.addJavascriptInterface(new Bridge(this), "KgenAndroid")
    new-instance v1, Ldev/kgen/viewer/Bridge;
    invoke-direct {v1, p0}, Ldev/kgen/viewer/Bridge;-><init>(Landroid/app/Activity;)V
    const-string v2, "KgenAndroid"
    invoke-virtual {v0, v1, v2}, Landroid/webkit/WebView;->addJavascriptInterface(Ljava/lang/Object;Ljava/lang/String;)V

    # A frame that keeps clear of the system's bars and of the keyboard: from Android 15 on, an
    # app's window lies under them.
    new-instance v1, Landroid/widget/FrameLayout;
    invoke-direct {v1, p0}, Landroid/widget/FrameLayout;-><init>(Landroid/content/Context;)V
    iput-object v1, p0, Ldev/kgen/viewer/MainActivity;->frame:Landroid/widget/FrameLayout;
    const/4 v2, 0x1
    invoke-virtual {v1, v2}, Landroid/widget/FrameLayout;->setFitsSystemWindows(Z)V
    invoke-virtual {v1, v0}, Landroid/widget/FrameLayout;->addView(Landroid/view/View;)V
    invoke-virtual {p0, v1}, Ldev/kgen/viewer/MainActivity;->setContentView(Landroid/view/View;)V

    # if (saved == null || view.restoreState(saved) == null) view.loadUrl(...)
    # The page keeps model, seed and section in its address: with the history they come back.
    if-eqz p1, :first_time
    invoke-virtual {v0, p1}, Landroid/webkit/WebView;->restoreState(Landroid/os/Bundle;)Landroid/webkit/WebBackForwardList;
    move-result-object v1
    if-nez v1, :done
    :first_time
    const-string v1, "https://appassets.androidplatform.net/index.html"
    invoke-virtual {v0, v1}, Landroid/webkit/WebView;->loadUrl(Ljava/lang/String;)V
    :done
    return-void
.end method

# Rotation does not end the activity (see the manifest); Android does when it needs the memory.
.method protected onSaveInstanceState(Landroid/os/Bundle;)V
    .registers 3
    invoke-super {p0, p1}, Landroid/app/Activity;->onSaveInstanceState(Landroid/os/Bundle;)V
    iget-object v0, p0, Ldev/kgen/viewer/MainActivity;->view:Landroid/webkit/WebView;
    invoke-virtual {v0, p1}, Landroid/webkit/WebView;->saveState(Landroid/os/Bundle;)Landroid/webkit/WebBackForwardList;
    return-void
.end method

# Back goes back in the page's history; from its beginning, out of the app.
.method public onBackPressed()V
    .registers 3
    iget-object v0, p0, Ldev/kgen/viewer/MainActivity;->view:Landroid/webkit/WebView;
    invoke-virtual {v0}, Landroid/webkit/WebView;->canGoBack()Z
    move-result v1
    if-eqz v1, :leave
    invoke-virtual {v0}, Landroid/webkit/WebView;->goBack()V
    return-void
    :leave
    invoke-super {p0}, Landroid/app/Activity;->onBackPressed()V
    return-void
.end method

# The only activity that this one starts for a result is the file chooser.
.method protected onActivityResult(IILandroid/content/Intent;)V
    .registers 5
    invoke-super {p0, p1, p2, p3}, Landroid/app/Activity;->onActivityResult(IILandroid/content/Intent;)V
    iget-object v0, p0, Ldev/kgen/viewer/MainActivity;->chooser:Ldev/kgen/viewer/FileChooser;
    invoke-virtual {v0, p2, p3}, Ldev/kgen/viewer/FileChooser;->finish(ILandroid/content/Intent;)V
    return-void
.end method

# A WebView must be taken out of its parent before it is destroyed.
.method protected onDestroy()V
    .registers 2
    iget-object v0, p0, Ldev/kgen/viewer/MainActivity;->frame:Landroid/widget/FrameLayout;
    invoke-virtual {v0}, Landroid/widget/FrameLayout;->removeAllViews()V
    iget-object v0, p0, Ldev/kgen/viewer/MainActivity;->view:Landroid/webkit/WebView;
    invoke-virtual {v0}, Landroid/webkit/WebView;->destroy()V
    invoke-super {p0}, Landroid/app/Activity;->onDestroy()V
    return-void
.end method
