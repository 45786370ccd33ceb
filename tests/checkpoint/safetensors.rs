//! Weights.

use std::collections::{BTreeMap, HashMap};

use ia3_web::checkpoint::safetensors::{read_all, write};
use ia3_web::checkpoint::{Arrived, BlockType, Header, HostTensor, StreamReader};
use ia3_web::{Error, Result};

/// A file from its header's JSON and its data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

fn two_tensors() -> BTreeMap<String, HostTensor> {
    BTreeMap::from([
        ("b.bias".into(), HostTensor::new(vec![3], vec![0.5, -1.0, 2.0])),
        ("a.weight".into(), HostTensor::new(vec![3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        ("empty".into(), HostTensor::new(vec![0, 4], vec![])),
    ])
}

fn stream(bytes: &[u8], chunk: usize, length: Option<u64>) -> Result<BTreeMap<String, HostTensor>> {
    let mut tensors = BTreeMap::new();
    let mut reader = StreamReader::new("model.safetensors", length, None, Box::new(|_| BlockType::F32));
    for chunk in bytes.chunks(chunk) {
        reader.feed(chunk, &mut |arrived| {
            tensors.insert(arrived.name.to_string(), arrived.tensor.dequantised());
            Ok(())
        })?;
    }
    reader.finish().map(|()| tensors)
}

#[test]
fn writes_what_the_safetensors_crate_writes() {
    let tensors = two_tensors();
    let bytes = |tensor: &HostTensor| tensor.data.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let data: BTreeMap<_, _> = tensors.iter().map(|(name, tensor)| (name, bytes(tensor))).collect();
    let views = tensors.iter().map(|(name, tensor)| {
        (
            name,
            ::safetensors::tensor::TensorView::new(::safetensors::Dtype::F32, tensor.shape.clone(), &data[name])
                .unwrap(),
        )
    });
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    assert_eq!(write(&tensors), ::safetensors::serialize(views, Some(metadata)).unwrap());
}

#[test]
fn reads_what_it_wrote() {
    assert_eq!(read_all(&write(&two_tensors())).unwrap(), two_tensors());
}

#[test]
fn reads_half_precision() {
    let header = r#"{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]}}"#;
    let tensors = read_all(&file(header, &[0x00, 0x3c, 0x00, 0xc0, 0xc0, 0x3f])).unwrap();
    assert_eq!(tensors["h"].data, [1.0, -2.0]);
    assert_eq!(tensors["b"].data, [1.5]);
}

#[test]
fn a_stream_gives_the_same_tensors_whatever_its_chunks() {
    let bytes = write(&two_tensors());
    for chunk in [1, 3, 7, 64, bytes.len()] {
        assert_eq!(stream(&bytes, chunk, Some(bytes.len() as u64)).unwrap(), two_tensors(), "chunks of {chunk}");
        assert_eq!(stream(&bytes, chunk, None).unwrap(), two_tensors(), "chunks of {chunk}, length unknown");
    }
}

#[test]
fn a_stream_passes_over_integer_buffers() {
    let header = r#"{"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#;
    let bytes = file(header, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f]);
    let mut names = Vec::new();
    let mut reader = StreamReader::new("model.safetensors", None, None, Box::new(|_| BlockType::F32));
    let mut sink = |arrived: Arrived| {
        names.push(arrived.name.to_string());
        Ok(())
    };
    reader.feed(&bytes, &mut sink).unwrap();
    assert_eq!(reader.skipped(), [("ids".to_string(), "I64".to_string())]);
    assert_eq!(names, ["w"]);
    assert_eq!(read_all(&bytes), Err(Error::TensorDtype { name: "ids".into(), dtype: "I64".into() }));
}

#[test]
fn a_file_cut_off_or_too_long_is_refused() {
    let bytes = write(&two_tensors());
    let whole = bytes.len() as u64;
    for end in [0, 7, 8, 40, bytes.len() - 1] {
        let truncated = |error: Error| match error {
            Error::FileTruncated { expected, actual, .. } => assert!(actual == end as u64 && expected > actual),
            other => panic!("{end} bytes: {other}"),
        };
        truncated(stream(&bytes[..end], 16, None).unwrap_err());
        truncated(stream(&bytes[..end], 16, Some(whole)).unwrap_err());
        truncated(read_all(&bytes[..end]).unwrap_err());
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    let length = Error::FileLength { file: "model.safetensors".into(), expected: whole, actual: whole + 1 };
    assert_eq!(stream(&longer, 16, None), Err(length.clone()));
    assert_eq!(stream(&longer, 16, Some(whole)).unwrap_err().code(), "file-length");
    assert_eq!(read_all(&longer), Err(length));
}

#[test]
fn a_server_that_announces_another_length_is_noticed_at_the_header() {
    let bytes = write(&two_tensors());
    assert_eq!(stream(&bytes, bytes.len(), Some(bytes.len() as u64 + 5)).unwrap_err().code(), "file-length");
    assert_eq!(
        stream(&bytes[..bytes.len() - 9], 1000, Some(bytes.len() as u64 - 9)).unwrap_err().code(),
        "file-truncated"
    );
}

#[test]
fn a_wrong_hash_is_refused() {
    let bytes = write(&two_tensors());
    let hash = <::sha2::Sha256 as sha2::Digest>::digest(&bytes).into();
    let finish = |expected| {
        let mut reader = StreamReader::new("model.safetensors", None, Some(expected), Box::new(|_| BlockType::F32));
        reader.feed(&bytes, &mut |_| Ok(())).unwrap();
        reader.finish()
    };
    assert_eq!(finish(hash), Ok(()));
    assert_eq!(finish([7; 32]).unwrap_err().code(), "file-hash");
}

#[test]
fn a_bad_header_is_refused() {
    for (header, data) in [
        ("", 0),
        ("[]", 0),
        (r#"{"a":1}"#, 0),
        (r#"{"a":{"dtype":"F99","shape":[],"data_offsets":[0,4]}}"#, 4),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4),
        (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8),
        (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4),
        (r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4),
        (r#"{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#, 4),
        (r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0),
        (r#"{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}"#, 0),
        (
            r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#,
            0,
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            4,
        ),
    ] {
        let error = Header::parse(&file(header, &vec![0; data])).unwrap_err();
        assert_eq!(error.code(), "not-safetensors", "{header}: {error}");
    }
    assert_eq!(Header::parse(b"<!DOCTYPE html><html>").unwrap_err().code(), "not-safetensors");
}
