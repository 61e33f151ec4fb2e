//! Layers that no honest image has: nothing of them lands outside, and none is larger than it may be.

use std::fs;

use crib_model::Code;
use crib_oci::Digest;
use serde_json::json;
use tar::EntryType;

use crate::world::{Layer, World};

#[track_caller]
fn refused(layers: &[Vec<u8>], word: &str) {
    let world = World::new();
    let fault = world.unpack(layers).expect_err("it is refused");
    assert_eq!(fault.code(), Code::PackageUnverified, "{fault}");
    assert!(fault.to_string().contains(word), "{fault}");
    is_untouched(&world);
}

/// Nothing is outside of the root but what was put there.
#[track_caller]
fn is_untouched(world: &World) {
    let names = fs::read_dir(world.folder.path()).expect("a folder").flatten();
    let mut names: Vec<String> = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !matches!(name.as_str(), "root" | "beside" | "outside"));
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn names_that_lead_upwards_are_refused() {
    for name in ["../evil", "a/../../evil", "a/..", "..", "/../evil", "a/b/../../../evil"] {
        refused(&[Layer::default().file(name, "evil").end()], "leads out");
    }
    refused(&[Layer::default().same("x", "../../etc/passwd").end()], "leads out");
    refused(&[Layer::default().file("a/.wh...", "").end()], "leads out");
    refused(&[Layer::default().file("a/.wh.", "").end()], "takes away nothing");
    refused(&[Layer::default().file(".wh..", "").end()], "takes away nothing");
}

#[test]
fn an_absolute_name_lands_inside() {
    let world = World::new();
    let outside = world.folder.path().join("evil");
    let name = outside.display().to_string();
    world.unpack(&[Layer::default().file(&name, "evil").end()]).expect("it is unpacked");
    assert_eq!(world.text(name.trim_start_matches('/')), "evil");
    is_untouched(&world);
}

#[test]
fn links_lead_nobody_outside() {
    let world = World::new();
    let outside = world.folder.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("precious"), "precious").expect("a file");
    let target = outside.display().to_string();
    let layers = [
        Layer::default().link("abs", &target).link("up", "../outside").link("far", &format!("{}{target}", "../".repeat(30))).end(),
        Layer::default()
            .file("abs/evil", "evil")
            .file("up/evil", "evil")
            .file("far/evil", "evil")
            .file("up/.wh.precious", "")
            .file("abs/.wh..wh..opq", "")
            .folder("up/folder")
            .link("far/link", "x")
            .end(),
        // A file in the place of a link is a file.
        Layer::default().link("file", &format!("{target}/precious")).file("file", "evil").end(),
    ];
    world.unpack(&layers).expect("it is unpacked inside");
    assert_eq!(fs::read_to_string(outside.join("precious")).expect("untouched"), "precious");
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 1, "nothing was written outside");
    assert_eq!((world.text("outside/evil"), world.text("file")), ("evil".to_owned(), "evil".to_owned()));
    is_untouched(&world);
}

#[test]
fn a_second_name_is_never_that_of_a_file_outside() {
    let place = || {
        let world = World::new();
        let outside = world.folder.path().join("outside");
        fs::write(&outside, "precious").expect("a file");
        (world, outside)
    };
    for is_through_a_link in [false, true] {
        let (world, outside) = place();
        let layer = match is_through_a_link {
            false => Layer::default().same("x", &outside.display().to_string()),
            true => Layer::default().link("l", &world.folder.path().display().to_string()).same("x", "l/outside"),
        };
        let fault = world.unpack(&[layer.end()]).expect_err("it is not there");
        assert!(fault.to_string().contains("what is not there"), "{fault}");
    }
    // The name of a link is a second name of that link.
    let (world, outside) = place();
    let layer = Layer::default().link("l", &outside.display().to_string()).same("x", "l").file("x", "evil").file("l", "evil").end();
    world.unpack(&[layer]).expect("it is unpacked");
    assert_eq!(fs::read_to_string(&outside).expect("untouched"), "precious");
    refused(&[Layer::default().folder("d").same("x", "d").end()], "one name");
    refused(&[Layer::default().same("x", "").end()], "not there");
}

#[test]
fn what_is_endless_ends() {
    refused(&[Layer::default().link("a", "b").link("b", "a").file("a/x", "").end()], "on and on");
    refused(&[Layer::default().link("a", "a").file("a/x", "").end()], "on and on");
    let long = "d/".repeat(70);
    refused(&[Layer::default().entry(EntryType::GNULongName, ("n", ""), 0, long.as_bytes()).file("x", "").end()], "too deep");
    let deep = Layer::default().folder(&"d/".repeat(49)).link("l", &"d/".repeat(49));
    refused(&[deep.file(&format!("l/{}x", "e/".repeat(20)), "").end()], "too deep");
    refused(&[Layer::default().file("f", "").file("f/x", "").end()], "no folder");
    refused(&[Layer::default().link("l", "").end()], "no name");
}

#[test]
fn archives_that_can_be_read_in_two_ways_are_refused() {
    let record = b"14 size=99999\n";
    refused(&[Layer::default().entry(EntryType::XHeader, ("x", ""), 0, record).file("a", "1").end()], "two sizes");
    refused(&[Layer::default().entry(EntryType::XHeader, ("x", ""), 0, b"12 size=odd\n").file("a", "1").end()], "no number");
    refused(&[Layer::default().entry(EntryType::Symlink, ("l", "x"), 0, b"content").end()], "with content");
    refused(&[Layer::default().entry(EntryType::GNUSparse, ("s", ""), 0, b"").end()], "holes");
    refused(&[Layer::default().entry(EntryType::XHeader, ("x", ""), 0, b"22 GNU.sparse.major=1\n").file("a", "1").end()], "holes");
    refused(&[Layer::default().entry(EntryType::new(b'Z'), ("z", ""), 0, b"").end()], "not known");
    let long = vec![b'a'; 2 * 1024 * 1024];
    refused(&[Layer::default().entry(EntryType::GNULongName, ("n", ""), 0, &long).file("a", "1").end()], "too long");
    refused(&[Layer::default().entry(EntryType::XHeader, ("n", ""), 0, &long).file("a", "1").end()], "too long");
}

#[test]
fn a_file_of_more_than_any_image_is_refused_before_it_is_written() {
    let mut layer = Layer::default().file("huge", "1").end();
    // Nine gigabytes, as the head of the entry has it.
    let size = b"\x80\0\0\0\0\0\0\x02\x40\0\0\0";
    layer.splice(124..136, size.iter().copied());
    let sum: u32 = layer.iter().take(512).enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
    layer.splice(148..156, format!("{sum:06o}\0 ").into_bytes());
    refused(&[layer], "more than");
}

#[test]
fn a_broken_archive_is_not_half_an_image() {
    let world = World::new();
    let whole = Layer::default().file("a", "1").file("b", &"2".repeat(2000)).end();
    let cut = whole.get(..2000).expect("long enough").to_vec();
    let fault = world.unpack(&[cut]).expect_err("it ends too early");
    assert_eq!(fault.code(), Code::PullFailed, "{fault}");
}

#[test]
fn a_layer_with_other_content_than_the_image_names_is_refused() {
    let world = World::new();
    let layer = Layer::default().file("a", "1").end();
    world.shelf.packed_image(("x", "1"), &json!({}), &[(layer, Digest::of(b"another"))]);
    let fault = world.pull("x:1").expect_err("it is refused");
    assert!(fault.code() == Code::PackageUnverified && fault.to_string().contains("and should have"), "{fault}");
}
