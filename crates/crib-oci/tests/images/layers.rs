//! Layers one above the other, in every form they are sent in.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crib_oci::Digest;
use serde_json::json;
use tar::EntryType;

use crate::world::{Layer, World};

#[test]
fn a_layer_takes_away_what_those_below_have_brought() {
    let world = World::new();
    let below = Layer::default().file("a/gone", "1").file("a/kept", "1").file("b/old", "1").file("b/c/old", "1").file("whole/x", "1").end();
    let above = Layer::default()
        .file("a/.wh.gone", "")
        .file("b/new", "2")
        .file("b/c/new", "2")
        // After what it must not take away, as some programs write it.
        .file("b/.wh..wh..opq", "")
        .file(".wh.whole", "")
        .file("a/.wh..wh.plnk", "")
        .end();
    world.unpack(&[below, above]).expect("it is unpacked");
    for (name, is_there) in
        [("a/gone", false), ("a/kept", true), ("b/old", false), ("b/c/old", false), ("b/new", true), ("b/c/new", true), ("whole", false)]
    {
        assert_eq!(world.has(name), is_there, "{name}");
    }
    assert!(!world.has("a/.wh.gone") && !world.has("b/.wh..wh..opq") && !world.has("a/.wh..wh.plnk"));
}

#[test]
fn a_link_on_the_way_leads_where_the_image_would_see_it() {
    let world = World::new();
    let below = Layer::default().folder("usr/lib").link("lib", "usr/lib").link("deep/er/up", "../../usr").link("abs", "/usr/lib").end();
    let above =
        Layer::default().file("lib/one", "1").file("deep/er/up/two", "2").file("abs/three", "3").file("./usr//./lib/four", "4").end();
    world.unpack(&[below, above]).expect("it is unpacked");
    for (name, text) in [("usr/lib/one", "1"), ("usr/two", "2"), ("usr/lib/three", "3"), ("usr/lib/four", "4")] {
        assert_eq!(world.text(name), text, "{name}");
    }
    assert!(world.root().join("lib").is_symlink(), "the link itself stays");
}

#[test]
fn names_of_one_file_share_it_and_a_new_file_does_not_write_through_them() {
    let world = World::new();
    let below = Layer::default().file("one", "same").same("two", "one").link("l", "one").same("three", "./l").end();
    let above = Layer::default().file("one", "new").end();
    world.unpack(&[below, above]).expect("it is unpacked");
    assert_eq!((world.text("one"), world.text("two")), ("new".to_owned(), "same".to_owned()));
    assert!(world.root().join("three").is_symlink());
}

#[test]
fn what_changes_its_kind_is_replaced() {
    let world = World::new();
    let below = Layer::default().folder("a/b").file("a/b/c", "1").file("f", "1").link("l", "a").folder("kept").file("kept/x", "1").end();
    let above = Layer::default().file("a", "2").folder("f").folder("l").file("l/in", "2").folder("kept").end();
    world.unpack(&[below, above]).expect("it is unpacked");
    assert_eq!((world.text("a"), world.text("l/in"), world.text("kept/x")), ("2".to_owned(), "2".to_owned(), "1".to_owned()));
    assert!(world.root().join("f").is_dir() && !world.root().join("l").is_symlink());
}

#[test]
fn rights_are_to_run_or_not_and_nothing_more() {
    let world = World::new();
    let layer = Layer::default().file_of("suid", b"x", 0o6755).file_of("secret", b"x", 0o600).folder("closed");
    let layer = layer.entry(EntryType::Directory, ("none", ""), 0, b"").file("none/x", "1");
    let layer = [EntryType::Char, EntryType::Block, EntryType::Fifo]
        .into_iter()
        .fold(layer, |layer, kind| layer.entry(kind, ("dev/x", ""), 0o666, b""));
    world.unpack(&[layer.end()]).expect("it is unpacked");
    let mode = |name: &str| world.root().join(name).metadata().expect("it is there").permissions().mode() & 0o7777;
    assert_eq!((mode("suid"), mode("secret"), mode("none")), (0o755, 0o644, 0o755));
    assert!(!world.has("dev/x"));
    assert_eq!(world.root().join("suid").metadata().expect("it is there").nlink(), 1);
}

#[test]
fn long_names_are_read_in_both_ways_of_writing_them() {
    let world = World::new();
    let (gnu, pax) = (format!("gnu/{}", "a".repeat(180)), format!("pax/{}", "b".repeat(180)));
    let record = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        // The length counts its own digits.
        let length = (1..5).map(|digits| rest.len() + digits).find(|all| all.to_string().len() + rest.len() == *all).expect("a length");
        format!("{length}{rest}")
    };
    let layer = Layer::default()
        .entry(EntryType::GNULongName, ("././@LongLink", ""), 0, format!("{gnu}\0").as_bytes())
        .file("short", "1")
        .entry(EntryType::XHeader, ("x", ""), 0, (record("mtime", "1.5") + &record("path", &pax)).as_bytes())
        .file("short", "2")
        .entry(EntryType::XHeader, ("x", ""), 0, record("linkpath", &pax).as_bytes())
        .link("l", "short")
        .file("plain", "3")
        .end();
    world.unpack(&[layer]).expect("it is unpacked");
    assert_eq!(
        (world.text(&gnu), world.text(&pax), world.text("l"), world.text("plain")),
        ("1".into(), "2".into(), "2".into(), "3".into())
    );
    assert!(!world.has("short"));
}

#[test]
fn layers_are_read_however_they_are_packed() {
    let world = World::new();
    let layer = |text: &str| Layer::default().file(text, text).end();
    let gzip = |bytes: &[u8]| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(bytes).expect("room");
        writer.finish().expect("packed")
    };
    let zstd = |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
    let pieces = layer("pieces");
    let (head, tail) = pieces.split_at(700);
    // A frame to be skipped, as it stands in front of an index.
    let skipped = [&[0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3][..]].concat();
    let layers = [
        (layer("plain"), Digest::of(&layer("plain"))),
        (gzip(&layer("gzip")), Digest::of(&layer("gzip"))),
        (zstd(&layer("zstd")), Digest::of(&layer("zstd"))),
        ([gzip(head), gzip(tail)].concat(), Digest::of(&pieces)),
        ([skipped.clone(), zstd(&layer("more")[..600]), zstd(&layer("more")[600..]), skipped].concat(), Digest::of(&layer("more"))),
    ];
    world.shelf.packed_image(("x", "1"), &json!({}), &layers);
    world.pull("x:1").expect("it is unpacked");
    for name in ["plain", "gzip", "zstd", "pieces", "more"] {
        assert_eq!(world.text(name), name);
    }
}
