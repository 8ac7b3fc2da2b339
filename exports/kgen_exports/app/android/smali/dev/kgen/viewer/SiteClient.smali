# Answers every request of the page from assets/www, under an origin of its own.
#
# https://appassets.androidplatform.net/ is a name that Google keeps for this and never serves: pages
# under it are a secure context, which file: is not. Nothing is ever asked of the network, for which
# the app has no permission either.
.class public final Ldev/kgen/viewer/SiteClient;
.super Landroid/webkit/WebViewClient;

.field private final assets:Landroid/content/res/AssetManager;

.method public constructor <init>(Landroid/content/res/AssetManager;)V
    .registers 2
    invoke-direct {p0}, Landroid/webkit/WebViewClient;-><init>()V
    iput-object p1, p0, Ldev/kgen/viewer/SiteClient;->assets:Landroid/content/res/AssetManager;
    return-void
.end method

# "https".equals(url.getScheme()) && HOST.equals(url.getAuthority())
# The authority has the port and the user too: with either it is another origin.
.method private static isOurs(Landroid/net/Uri;)Z
    .registers 3
    const-string v0, "https"
    invoke-virtual {p0}, Landroid/net/Uri;->getScheme()Ljava/lang/String;
    move-result-object v1
    invoke-virtual {v0, v1}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v0
    if-eqz v0, :no
    const-string v0, "appassets.androidplatform.net"
    invoke-virtual {p0}, Landroid/net/Uri;->getAuthority()Ljava/lang/String;
    move-result-object v1
    invoke-virtual {v0, v1}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v0
    :no
    return v0
.end method

# True refuses: the page stays, whatever a link or a script wants to open.
.method public shouldOverrideUrlLoading(Landroid/webkit/WebView;Landroid/webkit/WebResourceRequest;)Z
    .registers 4
    invoke-interface {p2}, Landroid/webkit/WebResourceRequest;->getUrl()Landroid/net/Uri;
    move-result-object v0
    invoke-static {v0}, Ldev/kgen/viewer/SiteClient;->isOurs(Landroid/net/Uri;)Z
    move-result v0
    xor-int/lit8 v0, v0, 0x1
    return v0
.end method

# Ours: from the assets. blob: and data:, which are the page's own: null, as if nobody had asked.
# All else: refused.
.method public shouldInterceptRequest(Landroid/webkit/WebView;Landroid/webkit/WebResourceRequest;)Landroid/webkit/WebResourceResponse;
    .registers 6
    invoke-interface {p2}, Landroid/webkit/WebResourceRequest;->getUrl()Landroid/net/Uri;
    move-result-object v0
    invoke-static {v0}, Ldev/kgen/viewer/SiteClient;->isOurs(Landroid/net/Uri;)Z
    move-result v1
    if-eqz v1, :not_ours
    invoke-virtual {v0}, Landroid/net/Uri;->getPath()Ljava/lang/String;
    move-result-object v0
    invoke-direct {p0, v0}, Ldev/kgen/viewer/SiteClient;->serve(Ljava/lang/String;)Landroid/webkit/WebResourceResponse;
    move-result-object v0
    return-object v0

    :not_ours
    invoke-virtual {v0}, Landroid/net/Uri;->getScheme()Ljava/lang/String;
    move-result-object v0
    const-string v1, "blob"
    invoke-virtual {v1, v0}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v1
    if-nez v1, :the_pages_own
    const-string v1, "data"
    invoke-virtual {v1, v0}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v1
    if-nez v1, :the_pages_own
    const/16 v0, 0x193
    const-string v1, "Forbidden"
    invoke-static {v0, v1}, Ldev/kgen/viewer/SiteClient;->empty(ILjava/lang/String;)Landroid/webkit/WebResourceResponse;
    move-result-object v0
    return-object v0
    :the_pages_own
    const/4 v0, 0x0
    return-object v0
.end method

# The file at a path that begins with "/", or 404.
.method private serve(Ljava/lang/String;)Landroid/webkit/WebResourceResponse;
    .registers 9
    if-eqz p1, :missing
    const-string v0, ".."
    invoke-virtual {p1, v0}, Ljava/lang/String;->contains(Ljava/lang/CharSequence;)Z
    move-result v0
    if-nez v0, :missing

    # if (path.equals("/")) path = "/index.html"
    const-string v0, "/"
    invoke-virtual {v0, p1}, Ljava/lang/String;->equals(Ljava/lang/Object;)Z
    move-result v0
    if-eqz v0, :named
    const-string p1, "/index.html"
    :named

    # v6 = assets.open("www" + path)
    const-string v0, "www"
    invoke-virtual {v0, p1}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    :try_open
    iget-object v6, p0, Ldev/kgen/viewer/SiteClient;->assets:Landroid/content/res/AssetManager;
    invoke-virtual {v6, v0}, Landroid/content/res/AssetManager;->open(Ljava/lang/String;)Ljava/io/InputStream;
    move-result-object v6
    :opened
    .catch Ljava/io/IOException; {:try_open .. :opened} :missing_file

    # new WebResourceResponse(type, charset, 200, "OK", headers, stream), in v0 to v6
    invoke-static {p1}, Ldev/kgen/viewer/SiteClient;->typeOf(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v1
    invoke-static {v1}, Ldev/kgen/viewer/SiteClient;->charsetOf(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v2
    const/16 v3, 0xc8
    const-string v4, "OK"
    invoke-static {}, Ldev/kgen/viewer/SiteClient;->headers()Ljava/util/Map;
    move-result-object v5
    new-instance v0, Landroid/webkit/WebResourceResponse;
    invoke-direct/range {v0 .. v6}, Landroid/webkit/WebResourceResponse;-><init>(Ljava/lang/String;Ljava/lang/String;ILjava/lang/String;Ljava/util/Map;Ljava/io/InputStream;)V
    return-object v0

    :missing_file
    move-exception v0
    :missing
    const/16 v0, 0x194
    const-string v1, "Not Found"
    invoke-static {v0, v1}, Ldev/kgen/viewer/SiteClient;->empty(ILjava/lang/String;)Landroid/webkit/WebResourceResponse;
    move-result-object v0
    return-object v0
.end method

# A response with a status and nothing in it.
.method private static empty(ILjava/lang/String;)Landroid/webkit/WebResourceResponse;
    .registers 9
    const/4 v0, 0x0
    new-array v0, v0, [B
    new-instance v6, Ljava/io/ByteArrayInputStream;
    invoke-direct {v6, v0}, Ljava/io/ByteArrayInputStream;-><init>([B)V
    const-string v1, "text/plain"
    const-string v2, "utf-8"
    move v3, p0
    move-object v4, p1
    invoke-static {}, Ldev/kgen/viewer/SiteClient;->headers()Ljava/util/Map;
    move-result-object v5
    new-instance v0, Landroid/webkit/WebResourceResponse;
    invoke-direct/range {v0 .. v6}, Landroid/webkit/WebResourceResponse;-><init>(Ljava/lang/String;Ljava/lang/String;ILjava/lang/String;Ljava/util/Map;Ljava/io/InputStream;)V
    return-object v0
.end method

# The page's policy, and isolation: kgen_exports.app.policy.HEADERS, which a test compares.
.method private static headers()Ljava/util/Map;
    .registers 3
    new-instance v0, Ljava/util/HashMap;
    invoke-direct {v0}, Ljava/util/HashMap;-><init>()V
    const-string v1, "Content-Security-Policy"
    const-string v2, "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    invoke-virtual {v0, v1, v2}, Ljava/util/HashMap;->put(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;
    const-string v1, "Cross-Origin-Opener-Policy"
    const-string v2, "same-origin"
    invoke-virtual {v0, v1, v2}, Ljava/util/HashMap;->put(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;
    const-string v1, "Cross-Origin-Resource-Policy"
    invoke-virtual {v0, v1, v2}, Ljava/util/HashMap;->put(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;
    const-string v1, "Cross-Origin-Embedder-Policy"
    const-string v2, "require-corp"
    invoke-virtual {v0, v1, v2}, Ljava/util/HashMap;->put(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;
    const-string v1, "X-Content-Type-Options"
    const-string v2, "nosniff"
    invoke-virtual {v0, v1, v2}, Ljava/util/HashMap;->put(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;
    const-string v1, "Referrer-Policy"
    const-string v2, "no-referrer"
    invoke-virtual {v0, v1, v2}, Ljava/util/HashMap;->put(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;
    const-string v1, "Cache-Control"
    const-string v2, "no-cache"
    invoke-virtual {v0, v1, v2}, Ljava/util/HashMap;->put(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;
    return-object v0
.end method

# The type of a file by the end of its name: kgen_exports.app.policy.TYPES, which a test compares.
# Scripts and WebAssembly run only with the right one.
.method private static typeOf(Ljava/lang/String;)Ljava/lang/String;
    .registers 4
    const-string v0, "application/octet-stream"
    const-string v1, ".html"
    const-string v2, "text/html"
    invoke-static {p0, v1, v2, v0}, Ldev/kgen/viewer/SiteClient;->pick(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, ".css"
    const-string v2, "text/css"
    invoke-static {p0, v1, v2, v0}, Ldev/kgen/viewer/SiteClient;->pick(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, ".js"
    const-string v2, "text/javascript"
    invoke-static {p0, v1, v2, v0}, Ldev/kgen/viewer/SiteClient;->pick(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, ".mjs"
    invoke-static {p0, v1, v2, v0}, Ldev/kgen/viewer/SiteClient;->pick(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, ".wasm"
    const-string v2, "application/wasm"
    invoke-static {p0, v1, v2, v0}, Ldev/kgen/viewer/SiteClient;->pick(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, ".json"
    const-string v2, "application/json"
    invoke-static {p0, v1, v2, v0}, Ldev/kgen/viewer/SiteClient;->pick(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, ".webmanifest"
    const-string v2, "application/manifest+json"
    invoke-static {p0, v1, v2, v0}, Ldev/kgen/viewer/SiteClient;->pick(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, ".png"
    const-string v2, "image/png"
    invoke-static {p0, v1, v2, v0}, Ldev/kgen/viewer/SiteClient;->pick(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, ".svg"
    const-string v2, "image/svg+xml"
    invoke-static {p0, v1, v2, v0}, Ldev/kgen/viewer/SiteClient;->pick(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, ".txt"
    const-string v2, "text/plain"
    invoke-static {p0, v1, v2, v0}, Ldev/kgen/viewer/SiteClient;->pick(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    return-object v0
.end method

# path.endsWith(suffix) ? type : otherwise
.method private static pick(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;
    .registers 5
    invoke-virtual {p0, p1}, Ljava/lang/String;->endsWith(Ljava/lang/String;)Z
    move-result v0
    if-eqz v0, :otherwise
    return-object p2
    :otherwise
    return-object p3
.end method

# "utf-8" for text; null else: WebAssembly is not compiled from "application/wasm; charset=utf-8".
.method private static charsetOf(Ljava/lang/String;)Ljava/lang/String;
    .registers 2
    const-string v0, "text/"
    invoke-virtual {p0, v0}, Ljava/lang/String;->startsWith(Ljava/lang/String;)Z
    move-result v0
    if-eqz v0, :bytes
    const-string v0, "utf-8"
    return-object v0
    :bytes
    const/4 v0, 0x0
    return-object v0
.end method
