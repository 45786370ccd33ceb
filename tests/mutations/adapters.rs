//! Adapter folders and patterns.

use std::collections::BTreeMap;
use std::fs;

use ia3_web::adapter::pattern::Pattern;
use ia3_web::adapter::{load, save};
use ia3_web::checkpoint::HostTensor;
use ia3_web::checkpoint::safetensors::write;
use ia3_web::session::Pooling;
use serde_json::{Value, json};

use super::mutate::{Random, mutate, mutate_json};
use super::survive;
use super::tiny_bert::{base, fixtures};

fn fixture(path: &str) -> Vec<u8> {
    fs::read(fixtures(path)).unwrap()
}

#[test]
fn adapter_configurations() {
    let configs = ["list", "regex", "all-linear", "old-version", "feature-extraction"].map(|name| {
        serde_json::from_slice::<Value>(&fixture(&format!("peft-saved/{name}/adapter_config.json"))).unwrap()
    });
    let bases = [base(Pooling::Pooler), base(Pooling::Mean)];
    let weights = fixture("peft-saved/list/adapter_model.safetensors");
    let make = |random: &mut Random| {
        let config = random.pick(&configs).clone();
        if random.below(2) == 0 {
            mutate_json(random, &config)
        } else {
            mutate(random, config.to_string().as_bytes(), configs[1].to_string().as_bytes())
        }
    };
    // A pattern of a few bytes may compile to its whole allowance.
    survive(
        40_000,
        2,
        make,
        |len| 16 * len + (4 << 20),
        |bytes, random| {
            let config = ("adapter_config.json".to_string(), bytes.to_vec());
            let files = BTreeMap::from([config, ("adapter_model.safetensors".to_string(), weights.clone())]);
            load(&files, random.pick(&bases)).map(|_| ())
        },
    );
}

#[test]
fn adapter_tensors_and_heads() {
    let config = fixture("peft-saved/list/adapter_config.json");
    let weights = fixture("peft-saved/list/adapter_model.safetensors");
    let (pooler, mean) = (base(Pooling::Pooler), base(Pooling::Mean));
    survive(
        10_000,
        3,
        |random| mutate(random, &weights, &config),
        |len| 16 * len + (64 << 10),
        |bytes, random| {
            let files = BTreeMap::from([
                ("adapter_config.json".to_string(), config.clone()),
                ("adapter_model.safetensors".to_string(), bytes.to_vec()),
            ]);
            let base = if random.below(2) == 0 { &pooler } else { &mean };
            load(&files, base).map(|_| ())
        },
    );
    let labels = json!(["a", "b", "c"]);
    let head_config = json!({"labels": labels, "pooling": "mean", "normalize": true});
    let tensor = |shape: &[usize]| HostTensor::new(shape.to_vec(), vec![1.0; shape.iter().product()]);
    let head = BTreeMap::from([("weight".to_string(), tensor(&[3, 24])), ("bias".to_string(), tensor(&[3]))]);
    let files = BTreeMap::from([
        ("adapter_config.json".to_string(), config.clone()),
        ("adapter_model.safetensors".to_string(), weights.clone()),
        ("head.safetensors".to_string(), write(&head)),
        ("head_config.json".to_string(), head_config.to_string().into_bytes()),
        ("labels.json".to_string(), labels.to_string().into_bytes()),
    ]);
    let options = json!({"per_head": false});
    let own = [
        ("labels.json", labels, &pooler),
        ("head_config.json", head_config, &mean),
        ("ia3_options.json", options, &pooler),
    ];
    for (name, original, base) in own {
        survive(
            5_000,
            4,
            |random| mutate_json(random, &original),
            |len| 16 * len + (64 << 10),
            |bytes, _| {
                let mut files = files.clone();
                files.insert(name.to_string(), bytes.to_vec());
                load(&files, base).map(|_| ())
            },
        );
    }
}

#[test]
fn shifts() {
    let read = |name: &str| (name.to_string(), fixture(&format!("peft-saved/list/{name}")));
    let files = BTreeMap::from([read("adapter_config.json"), read("adapter_model.safetensors")]);
    let base = base(Pooling::Pooler);
    let adapter = load(&files, &base).unwrap().adapter;
    let mut shifted = adapter.clone();
    shifted.shifts = adapter.vectors;
    let name = "ia3_shift.safetensors".to_string();
    let original = save(&shifted, &base).unwrap().remove(&name).unwrap();
    survive(
        5_000,
        6,
        |random| mutate(random, &original, &files["adapter_model.safetensors"]),
        |len| 16 * len + (64 << 10),
        |bytes, _| {
            let mut files = files.clone();
            files.insert(name.clone(), bytes.to_vec());
            load(&files, &base).map(|_| ())
        },
    );
}

#[test]
fn patterns() {
    let seeds = [
        r".*\.attention\.self\.(key|value)|.*\.layer\.\d\.output\.dense",
        r"(?P<n>a+)+(?P=n)(?!x)(?<=b)\1\Z[^]a-z&&[^b]]{,3}(?i:k)*+\b\w(?>a|b)\x41\u0041",
        r"^(?:(?=(\w+))\1)*(?(1)a|b)[[:alpha:]]{2,3}?.*$",
        r"(?:(?=a)a+)+b|.*(key|value)",
    ];
    let make = |random: &mut Random| {
        let (original, other) = (*random.pick(&seeds), *random.pick(&seeds));
        String::from_utf8_lossy(&mutate(random, original.as_bytes(), other.as_bytes())).into_owned().into_bytes()
    };
    survive(
        15_000,
        5,
        make,
        |len| 16 * len + (4 << 20),
        |bytes, _| {
            let pattern = Pattern::fullmatch(str::from_utf8(bytes).unwrap())?;
            pattern.matches("bert.encoder.layer.1.attention.self.key")?;
            pattern.matches("aaaaaaaaaaaaaaaaaaaaaaaaaaab")?;
            Ok(())
        },
    );
}
