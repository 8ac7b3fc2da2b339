"""The Android package: signed, installable by its looks, the same bytes each time."""

import hashlib
import re
import shutil
import zipfile

import pytest
from typer.testing import CliRunner

from kgen.errors import KgenError
from kgen_cli.main import app
from kgen_exports.app import debian
from kgen_exports.app.apk import PACKAGE_NAME, build_apk, package_of, version_code
from tests.android.conftest import files, run

pytestmark = pytest.mark.android

ASKED = {"name": "Pictures", "package": "org.example.pix", "version": "1.2.3"}


@pytest.fixture(scope="module")
def small(site, tmp_path_factory):
    """Return a copy of the site without what makes it large: most tests need only some site."""
    folder = tmp_path_factory.mktemp("small") / "site"
    shutil.copytree(site, folder, ignore=shutil.ignore_patterns("vendor", "models"))
    return folder


def test_android_accepts_the_signature(built):
    said = run(["apksigner", "verify", "--verbose", "--print-certs", str(built.apk.path)])
    assert "Verified using v2 scheme (APK Signature Scheme v2): true" in said
    assert "Verified using v3 scheme (APK Signature Scheme v3): true" in said
    assert f"certificate SHA-256 digest: {built.apk.certificate}" in said
    assert "key size (bits): 3072" in said


def test_a_changed_byte_breaks_the_signature(built, tmp_path):
    content = bytearray(built.apk.path.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "changed.apk").write_bytes(content)
    with pytest.raises(KgenError, match="ended with status 1"):
        debian.run(["apksigner", "verify", str(tmp_path / "changed.apk")])


def test_it_says_what_it_is_and_asks_for_no_permission(built):
    said = run(["aapt", "dump", "badging", str(built.apk.path)])
    assert "package: name='org.example.pix' versionCode='1002003' versionName='1.2.3'" in said
    assert "sdkVersion:'24'" in said
    assert "targetSdkVersion:'35'" in said
    assert "application-label:'Pictures'" in said
    assert "launchable-activity: name='dev.kgen.viewer.MainActivity'" in said
    assert "uses-permission" not in said
    assert "debuggable" not in said
    assert run(["aapt", "dump", "permissions", str(built.apk.path)]) == "package: org.example.pix\n"


def test_what_it_shares_is_closed_to_whoever_was_not_given_it(built):
    tree = run(["aapt", "dump", "xmltree", str(built.apk.path), "AndroidManifest.xml"])
    provider = tree[tree.index("E: provider") :]
    assert '"org.example.pix.pictures"' in provider
    assert re.search(r"exported\(0x01010010\)=\(type 0x12\)0x0", provider)
    assert re.search(r"grantUriPermissions\(0x0101001b\)=\(type 0x12\)0xffffffff", provider)


def test_the_icon_is_the_sites_and_can_be_cut(built):
    said = run(["aapt", "dump", "--values", "resources", str(built.apk.path)])
    assert "mipmap/icon" in said
    assert (built.unpacked / "res/mipmap-anydpi-v26/icon.xml").is_file()
    for name, icon in (("icon", "icon-192"), ("maskable", "maskable-512")):
        (packed,) = built.unpacked.glob(f"res/mipmap-xxxhdpi*/{name}.png")
        assert packed.read_bytes() == (built.site / "icons" / f"{icon}.png").read_bytes()


def test_light_and_dark_are_two_themes(built):
    said = run(["aapt", "dump", "--values", "resources", str(built.apk.path)])
    assert "config night" in said
    assert re.search(r"color/page.*#fffbfbfa", said) or "#fffbfbfa" in said
    assert "#ff14171a" in said


def test_every_file_of_the_site_is_in_it_unchanged(built):
    packed = built.unpacked / "assets" / "www"
    assert [p.relative_to(packed) for p in files(packed)] == [
        p.relative_to(built.site) for p in files(built.site)
    ]
    for path in files(built.site):
        assert (packed / path.relative_to(built.site)).read_bytes() == path.read_bytes()


def test_what_compression_cannot_help_is_stored_and_aligned(built):
    with zipfile.ZipFile(built.apk.path) as packed:
        stored = {i.filename for i in packed.infolist() if i.compress_type == zipfile.ZIP_STORED}
        names = set(packed.namelist())
    large = {n for n in names if n.endswith((".wasm", ".onnx", ".tflite"))}
    assert {n.rpartition(".")[2] for n in large} == {"wasm", "onnx", "tflite"}
    assert large <= stored
    # Android 11 and newer do not install a package whose resource table is compressed.
    assert "resources.arsc" in stored
    assert "assets/www/app.js" not in stored
    run(["zipalign", "-c", "4", str(built.apk.path)])


def test_the_same_site_and_key_make_the_same_bytes(built, tmp_path):
    again = build_apk(built.site, tmp_path / "b.apk", key=built.apk.key, **ASKED)
    assert not again.key_is_new
    digests = [hashlib.sha256(p.read_bytes()).hexdigest() for p in (built.apk.path, again.path)]
    assert digests[0] == digests[1]


def test_a_later_build_beside_it_has_the_same_key(small, tmp_path):
    first = build_apk(small, tmp_path / "app.apk", **ASKED)
    assert first.key_is_new
    assert first.key == tmp_path / "app.p12"
    assert first.key.stat().st_mode & 0o077 == 0
    later = build_apk(small, tmp_path / "app.apk", **{**ASKED, "version": "1.3"})
    assert not later.key_is_new
    assert later.certificate == first.certificate
    assert later.version_code > first.version_code
    other = build_apk(small, tmp_path / "other.apk", **ASKED)
    assert other.certificate != first.certificate


def test_a_key_of_ones_own_signs_with_its_password_from_the_environment(
    small, tmp_path, monkeypatch
):
    key = tmp_path / "mine.p12"
    run([
        "keytool", "-genkeypair", "-keystore", str(key), "-storetype", "PKCS12", "-alias", "me",
        "-storepass", "correct horse", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=me",
    ])  # fmt: skip
    monkeypatch.setenv("KGEN_KEY_PASSWORD", "correct horse")
    made = build_apk(small, tmp_path / "a.apk", key=key, **ASKED)
    assert made.key == key
    said = run(["apksigner", "verify", "--print-certs", str(made.path)])
    assert "certificate DN: CN=me" in said
    monkeypatch.setenv("KGEN_KEY_PASSWORD", "battery staple")
    with pytest.raises(KgenError, match=r"password.*KGEN_KEY_PASSWORD") as found:
        build_apk(small, tmp_path / "b.apk", key=key, **ASKED)
    assert "\n" not in str(found.value)
    assert not (tmp_path / "b.apk").exists()


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ('It\'s <b> & "q" @x ?y', 'It\'s <b> & \\"q\\" @x ?y'),
        ("back\\nslash %s  two", "back\\\\nslash %s  two"),
        ("数字 🖼", "数字 🖼"),
    ],
)
def test_a_name_is_shown_as_it_is(small, tmp_path, label, shown):
    # aapt writes quotes and backslashes with a backslash before them.
    made = build_apk(small, tmp_path / "a.apk", **{**ASKED, "name": label})
    said = run(["aapt", "dump", "badging", str(made.path)])
    assert f"application-label:'{shown}'\n" in said


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": " "}, "name is a line"),
        ({"name": "a\nb"}, "name is a line"),
        ({"name": "x" * 51}, "name is a line"),
        ({"package": "pictures"}, "package is words"),
        ({"package": "org.1st"}, "package is words"),
        ({"package": 'org.x" android:y="'}, "package is words"),
        ({"version": "1"}, "version is two or three numbers"),
        ({"version": "1.2.3.4"}, "version is two or three numbers"),
        ({"version": "1.1000"}, "version is two or three numbers"),
    ],
)
def test_what_android_would_refuse_is_refused_here(small, tmp_path, wrong, message):
    with pytest.raises(KgenError, match=message):
        build_apk(small, tmp_path / "a.apk", **{**ASKED, **wrong})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("lower", "higher"), [("0.0", "0.1"), ("0.9", "0.10"), ("1.2", "1.2.1"), ("1.999.999", "2.0")]
)
def test_a_higher_version_has_a_higher_code(lower, higher):
    # Android's codes are from 1 to 2100000000.
    assert 1 <= version_code(lower) < version_code(higher) <= version_code("999.999.999") < 2.1e9


@pytest.mark.parametrize(
    ("title", "package"),
    [
        ("Pictures", "dev.kgen.app_pictures"),
        ("kgen: GAN, VAE", "dev.kgen.app_kgen_gan_vae"),
        ("2nd try!", "dev.kgen.app_2nd_try"),
        ("数字", "dev.kgen.app"),
    ],
)
def test_a_title_makes_a_package_that_android_takes(title, package):
    assert package_of(title) == package
    assert PACKAGE_NAME.fullmatch(package)


def test_a_folder_that_is_no_site_for_a_package_is_refused(small, tmp_path):
    with pytest.raises(KgenError, match="takes a site of kgen's"):
        build_apk(tmp_path, tmp_path / "a.apk", **ASKED)
    site = tmp_path / "site"
    shutil.copytree(small, site)
    text = (site / "app.json").read_text(encoding="utf-8")
    (site / "app.json").write_text(text.replace('"package"', '"site"'), encoding="utf-8")
    with pytest.raises(KgenError, match="delivery='site'"):
        build_apk(site, tmp_path / "a.apk", **ASKED)


def test_missing_tools_are_named_by_debians_packages(small, tmp_path, monkeypatch):
    here = shutil.which
    monkeypatch.setattr(
        debian.shutil, "which", lambda tool: None if tool in ("aapt", "smali") else here(tool)
    )
    with pytest.raises(KgenError, match=r"apt-get install aapt libsmali-java$"):
        build_apk(small, tmp_path / "a.apk", **ASKED)


def test_a_key_that_is_not_there_is_named(small, tmp_path):
    with pytest.raises(KgenError, match=r"--key takes a key store.*none\.p12"):
        build_apk(small, tmp_path / "a.apk", key=tmp_path / "none.p12", **ASKED)


def test_the_command_builds_a_package_and_keeps_its_key(exported, tmp_path):
    out, bundle = tmp_path / "shoes.apk", exported("gan").path
    arguments = ["app", str(bundle), "--apk", "--out", str(out), "--title", "Shoes"]
    options = ["--runtimes", "javascript", "--package", "org.example.shoes"]
    first = CliRunner().invoke(app, [*arguments, *options, "--package-version", "1.2"])
    assert first.exit_code == 0, first.output
    assert f"{tmp_path / 'shoes.p12'} is the key" in first.stderr
    said = run(["aapt", "dump", "badging", str(out)])
    assert "package: name='org.example.shoes' versionCode='1002000' versionName='1.2'" in said
    assert "application-label:'Shoes'" in said
    refused = CliRunner().invoke(app, [*arguments, *options])
    assert refused.exit_code == 1
    assert "is there already" in refused.stderr
    again = CliRunner().invoke(app, [*arguments, *options, "--force"])
    assert again.exit_code == 0, again.output
    assert "is the key" not in again.stderr
    assert again.stdout.rpartition(", ")[2] == first.stdout.rpartition(", ")[2]
