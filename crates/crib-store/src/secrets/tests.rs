use std::fs;

use super::*;

fn directory(test: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("crib-secrets-{}-{test}", std::process::id()));
    drop(fs::remove_dir_all(&directory));
    directory
}

fn secrets(directory: &Path, passphrase: Option<&str>) -> Secrets {
    Secrets::new(directory, passphrase.map(SecretString::from)).without_keyring()
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn put(secrets: &Secrets, key: &str, value: &str) {
    assert_eq!(secrets.set(&name(key), &value.into(), None, 7).unwrap(), StoreKind::File);
}

fn value(secrets: &Secrets, key: &str) -> Result<Option<String>, SecretError> {
    Ok(secrets.values([name(key)])?.get(&name(key)).map(|value| value.expose_secret().to_owned()))
}

#[test]
fn a_secret_comes_back_and_stands_nowhere_in_the_clear() {
    let directory = directory("back");
    for passphrase in [None, Some("correct horse")] {
        let secrets = secrets(&directory.join(passphrase.unwrap_or("file")), passphrase);
        put(&secrets, "TOKEN", "canary-4711");
        put(&secrets, "OTHER", "canary-4712");
        assert_eq!(value(&secrets, "TOKEN").unwrap().as_deref(), Some("canary-4711"));
        assert_eq!(value(&secrets, "GONE").unwrap(), None);
        for entry in fs::read_dir(&secrets.directory).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains("canary"));
        }
        assert!(!format!("{secrets:?}").contains("canary"));
        assert_eq!(secrets.names().unwrap().len(), 2);
        assert!(secrets.remove(&name("TOKEN")).unwrap() && !secrets.remove(&name("TOKEN")).unwrap());
        assert_eq!((value(&secrets, "TOKEN").unwrap(), value(&secrets, "OTHER").unwrap().as_deref()), (None, Some("canary-4712")));
    }
}

#[test]
fn a_wrong_passphrase_and_none_open_nothing() {
    let directory = directory("wrong");
    put(&secrets(&directory, Some("right")), "A", "x");
    assert!(matches!(value(&secrets(&directory, Some("wrong")), "A"), Err(SecretError::WrongKey)));
    assert!(matches!(value(&secrets(&directory, None), "A"), Err(SecretError::NoPassphrase)));
    assert_eq!(secrets(&directory, None).key_source().unwrap(), KeySource::Passphrase);
    let refused = secrets(&directory, Some("wrong")).set(&name("B"), &"y".into(), None, 0);
    assert!(matches!(refused, Err(SecretError::WrongKey)));
    assert_eq!(value(&secrets(&directory, Some("right")), "A").unwrap().as_deref(), Some("x"));
}

/// Writes the page as somebody who may write the file would, checksum and all.
fn forge(secrets: &Secrets, change: impl FnOnce(&mut Page)) {
    let mut page = secrets.page(secrets.document.read().unwrap()).unwrap();
    change(&mut page);
    let body = serde_json::to_vec(&page).unwrap();
    secrets.document.update(|_| Ok::<_, StoreError>((Some(body), ()))).unwrap();
}

#[test]
fn values_cannot_be_swapped_renamed_or_taken_from_elsewhere() {
    let (here, there) = (secrets(&directory("here"), None), secrets(&directory("there"), None));
    put(&here, "A", "a");
    put(&there, "A", "b");
    let elsewhere = there.page(there.document.read().unwrap()).unwrap().sealed;
    let older = here.page(here.document.read().unwrap()).unwrap().sealed;
    forge(&here, |page| page.sealed = elsewhere);
    assert!(matches!(value(&here, "A"), Err(SecretError::WrongKey)), "another machine's");
    forge(&here, |page| page.sealed = older.clone());
    here.set(&name("A"), &"c".into(), None, 8).unwrap();
    forge(&here, |page| page.sealed = older);
    assert!(matches!(value(&here, "A"), Err(SecretError::WrongKey)), "an older one");
    put(&there, "Z", "z");
    forge(&there, |page| {
        let kept = page.secrets.remove(&name("Z")).unwrap();
        page.secrets.insert(name("Y"), kept);
    });
    assert!(matches!(value(&there, "A"), Err(SecretError::WrongKey)), "another name");
}

#[test]
fn a_key_that_is_gone_or_open_to_others_is_refused_and_never_replaced() {
    let directory = directory("key");
    let secrets = secrets(&directory, None);
    put(&secrets, "A", "x");
    let key = directory.join("secrets.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(value(&secrets, "A"), Err(SecretError::OpenKeyFile(_))));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::remove_file(&key).unwrap();
    assert!(matches!(value(&secrets, "A"), Err(SecretError::NoKeyFile(_))));
    assert!(secrets.set(&name("B"), &"y".into(), None, 0).is_err(), "what is sealed is not given up");
    assert!(!key.exists());
}

#[test]
fn names_are_plain_and_values_have_a_size() {
    for bad in ["", "1A", "A B", "A\n", "A=B", "ghp_x/y", &"A".repeat(129)] {
        let error = SecretName::parse(bad).unwrap_err().to_string();
        assert!(bad.len() < 3 || !error.contains(bad), "it may be the value");
    }
    let secrets = secrets(&directory("size"), None);
    for bad in [String::new(), "x".repeat(64 * 1024 + 1)] {
        assert!(matches!(secrets.set(&name("A"), &bad.into(), None, 0), Err(SecretError::Size)));
    }
}
