"""The app's own classes, at work on a Java virtual machine with stand-ins for Android's."""

import re

import pytest

from kgen_exports.app.policy import HEADERS, media_type
from tests.android.conftest import FOREIGN, MISSING, ORIGIN, OWN, files, run

pytestmark = pytest.mark.android


def test_it_opens_the_site_with_scripts_and_without_files(told):
    assert told["start.page"] == f"{ORIGIN}/index.html"
    assert told["start.scripts"] == told["start.storage"] == "true"
    assert told["start.files"] == "false"
    assert told["start.bridge"] == "KgenAndroid"


def test_it_keeps_clear_of_the_systems_bars(told):
    assert told["start.clear of bars"] == told["start.transparent"] == "true"


def test_it_ends_with_its_view_taken_out_and_destroyed(told):
    assert told["end"] == "destroyed truetrue"


def test_its_place_survives_the_end_of_its_process(told):
    assert told["restored"] == f"{ORIGIN}/index.html#play"
    assert told["not restored"] == f"{ORIGIN}/index.html"


def test_back_goes_back_in_the_history_and_then_out(told):
    assert told["back.history"] == "1 "
    assert told["back.end"] == "1 back "


def test_every_file_is_served_whole_with_the_type_that_a_server_gives_it(told, built):
    for path in files(built.site):
        name = path.relative_to(built.site).as_posix()
        expected = f"200 OK, {media_type(name)}, {path.stat().st_size}"
        assert told[f"asked {ORIGIN}/{name}"] == expected
    assert told[f"asked {ORIGIN}/"] == told[f"asked {ORIGIN}/index.html"]


def test_the_headers_are_those_that_a_server_sends(told):
    for address in (f"{ORIGIN}/index.html", f"{ORIGIN}/nope.js", FOREIGN[0]):
        prefix = f"header {address} "
        sent = {k.removeprefix(prefix): v for k, v in told.items() if k.startswith(prefix)}
        assert sent == HEADERS


def test_what_is_not_there_is_not_found(told):
    for path in MISSING:
        assert told[f"asked {ORIGIN}{path}"].startswith("404 Not Found, text/plain")


def test_nothing_is_fetched_from_elsewhere_nor_opened(told):
    for address in FOREIGN:
        assert told[f"asked {address}"].startswith("403 Forbidden, text/plain")
        assert told[f"stays {address}"] == "true"
    assert told[f"stays {ORIGIN}/index.html"] == "false"


def test_what_a_page_makes_itself_is_left_to_it(told):
    for address in OWN:
        assert told[f"asked {address}"] == "left to the WebView"


def test_a_chosen_file_reaches_the_page_once(told):
    assert told["chooser.shown"] == "true choose"
    assert told["chooser.chosen"] == "[1[content://photos/5]]"


def test_every_chooser_is_answered_also_when_it_was_left_or_replaced(told):
    assert told["chooser.left"].endswith(", 2null]")
    assert told["chooser.again"].endswith(", 3null]")


def test_a_device_without_a_chooser_can_still_be_asked_again(told):
    assert told["chooser.none"] == "false"
    assert told["chooser.after none"] == "[]"


def test_a_picture_goes_into_the_gallery_and_is_hidden_until_it_is_whole(told):
    assert told["save.gallery"] == "Pictures/kgen/gan-seed-7.png"
    assert told["save.gallery calls"] == (
        "[insert content://media/images {_display_name=gan-seed-7.png, is_pending=1, "
        "mime_type=image/png, relative_path=Pictures/kgen}, write content://media/1, "
        "update content://media/1 {is_pending=0}]"
    )
    assert told["save.gallery bytes"] == "hello"


def test_a_full_gallery_is_an_error_and_leaves_nothing(told):
    assert "The picture was not saved: No space left" in told["save.full"]
    assert told["save.full calls"] == "[write content://media/1, delete content://media/1]"
    assert "did not take the picture" in told["save.closed"]


def test_before_android_10_a_picture_goes_into_the_apps_own_folder(told):
    assert told["save.older"] == "Pictures/-x-y.png"
    assert told["save.older bytes"] == "hello"
    assert told["save.older gallery"] == "[]"
    assert "storage for pictures is not there" in told["save.unmounted"]
    assert "The picture was not saved: " in told["save.unwritable"]


def test_a_name_is_never_a_path(told):
    assert told["name "] == told["name .png"] == "picture.png"
    assert told["name ..."] == "-.png"
    assert told["name a/b\\c:d"] == "a-b-c-d.png"


def test_a_shared_picture_can_be_read_by_whom_it_was_sent_to(told):
    address = "content://org.example.pix.pictures/vae-seed-7.png"
    assert told["share.intent"].endswith("CHOOSER android.intent.action.SEND image/png")
    assert told["share.stream"] == f"{{android.intent.extra.STREAM={address}}}"
    assert told["share.clip"] == f"{address} 1"  # FLAG_GRANT_READ_URI_PERMISSION
    assert told["provider.starts"] == "true"
    assert told["provider.reads"] == "hello true"
    assert told["provider.type"] == "image/png"


def test_other_apps_learn_name_and_size_by_the_columns_that_they_ask_for(told):
    assert told["query null"] == "[_display_name, _size][[vae-seed-7.png, 5]]"
    assert told["query [_size]"] == "[_size][[5]]"
    assert told["query [_data, _display_name]"] == "[_data, _display_name][[null, vae-seed-7.png]]"
    assert told["query []"] == "[][[]]"


def test_nothing_else_is_handed_out_and_nothing_is_taken(told):
    for odd in ("%2e%2e%2fsecret.png", "none.png", "", "secret", ".png"):
        assert told[f"open {odd}"] == "FileNotFoundException"
    assert told["query odd"] == "null"
    assert told["provider.writes"] == "SecurityException"
    for call in ("inserts", "updates", "deletes"):
        assert told[f"provider.{call}"] == "UnsupportedOperationException"


def test_a_page_reaches_save_and_share_and_no_other_method(built):
    said = run(["dexdump", "-a", str(built.unpacked / "classes.dex")])
    reached = re.findall(r"Annotations on method #\d+ '(\w+)'\s+VISIBILITY_RUNTIME (\S+)", said)
    bridge = "Landroid/webkit/JavascriptInterface;"
    assert sorted(reached) == [("save", bridge), ("share", bridge)]
