//! Streams that libjxl wrote, beside what libjxl and a JPEG decoder make of them.

use proptest::prelude::*;

use super::*;
use crate::pixels::{jpeg, tests::grey};

/// 16 by 12 values of 8 bits, coded with loss by `cjxl -d 0.3` of libjxl 0.7, and what its `djxl` makes of it.
const LOSSY_8: &str = "\
    ff0a583090141702001288004003ffe10000800a9551c60d5ecef57cf9a1c362dac67586b6dab6b02451641c9ba4133824899518ecf23080013c03cc\
    3cfdc99b46023c68a8882c5448816cdb2d2bf21a49496dd58a1479d7f23c2210d5fff2c39fa9ab3d17d721b61c858441c9f7c7a35219fc42ba30d6ec\
    c48c26c1631a3c0eec74d5980a441e3733d1ad976e1ebf4ff764416e3618ca82abbeb7b2576b84e8a0746a849b6eeed85c8420a4280c0dec2d079f62\
    45116832ab16e1f128157fbb689bbba9599b56af9a7b123823442bcd34a043d82c517600da652482d101\
";
const AS_DJXL_8: &str = "\
    274447372634536c68544d61829388732c42483d3941576a6b605e6c83908c813334fcfcfdfd585c646f797c7b808b97372dfdfffffe584e607c9089\
    78768da94034fdfefcfd5f57668397907f7c93b04647525966696c6d7880898d8d919eaa4d60675c5763778a897f7c8ca4b0aaa0546e766456628198\
    96817990b0bfb5a1596d736a646e8395930100010002b6b05f616774808483868e0100010001b4c3655a617c9595857d8cacbfb7a7a1bbd76c5f6782\
    9a9c8c8392adc5bcaaa9bfdc\
";

/// The same of 16 bits, big endian as in PGM.
const LOSSY_16: &str = "\
    ff0a5830fc24c585001288004003ffe10000800a9551c60d5ecef57cf9a1c362dac67586b6dab6b02451641c9ba4133824899518ecf23080013c03cc\
    3cfdc17b86023c68a8882c5448816cbbed55d429ea2455552b8ae4ddb67800c09c7b4a91fea79f95ee3d40a4561826c19033d4fcd582891fc4dad21a\
    c83e51285c60b204a761545bb5808f1b64993ffb667491da85a57acb2bd3df60ecda2f15a08892b086b2fe3fb9e1468ecf459c693102ba050279c954\
    4892c62827d2613cfee5e16f177d74c76f377f2933934f048f9e28ad932333519e64520f92432102707c\
";
const AS_DJXL_16: &str = "\
    2606446b47e43765281f354a534c6d8469fa550c4d21616e82809423892774e22bb3422d47dc3d7a38fb412c55aa692169545f915d6c6b6d81008df6\
    8ab1813d33e833ddfd92fe19fddffe2f57f95b6d649a6f8079267c187c9281308c0c969637682c18fe5fffffffffffcf5a3f4ea65fb57c9d91448a90\
    789c76338d4ca99d4002324afd24fee6fb9dfd41604a5744663f83f297bc903a7e857bd69321b0fa475447aa521259b0650a68696caf6cc677d88069\
    89f58e5e8e1b91e89dcea9694e8f61eb67915c91578c632577098b0388797e907ca98cf7a4b7b09daa819f7a53a66f3a757c633455ef61ec81819a22\
    9782815c797a9032af5fbed2b5eaa18b59c96df4741669c663ac6e9b84b996ae94d200a80000014900000174b733af5e5f94614a66ae73527fe8848a\
    8392867e8f77012500d2013c00000045b493c325661059e55fb67c5a95d7962b85177c938c3fadc0c003b73da7bda1c7bb03d7886d7d5f3c666683f0\
    9d529e068c4b829692d1aef3c5d6bbb2aba1a9a5bdd8dd22\
";

/// A JPEG stream by `djxl` (libjpeg), and what `cjxl --lossless_jpeg=1` makes of it, in a container with what it is rebuilt from.
const JPEG: &str = "\
    ffd8ffe000104a46494600010100000100010000ffe202344943435f50524f46494c45000101000002246a786c20043000006d6e7472475241595859\
    5a2007e3000c0001000000000000616373704150504c0000000000000000000000000000000000000000000000000000f6d6000100000000d32d6a78\
    6c201e60b2957d54a397af8f8ad1573128c8000000000000000000000000000000000000000000000000000000000000000464657363000000b40000\
    003c63707274000000f00000010077747074000001f0000000146b54524300000204000000206d6c756300000000000000010000000c656e55530000\
    001e0000001c004700720061005f004400360035005f005000650072005f00530052004700006d6c756300000000000000010000000c656e55530000\
    00e40000001c0043006f00700079007200690067006800740020003200300031003900200047006f006f0067006c00650020004c004c0043002c0020\
    00430043002d00420059002d0053004100200033002e003000200055006e0070006f00720074006500640020006c006900630065006e007300650028\
    00680074007400700073003a002f002f006300720065006100740069007600650063006f006d006d006f006e0073002e006f00720067002f006c0069\
    00630065006e007300650073002f00620079002d00730061002f0033002e0030002f006c006500670061006c0063006f00640065002958595a200000\
    00000000f35100010000000116cc706172610000000000030000000266660000f2a700000d59000013d000000a5bffdb004300050304040403050404\
    0405050506070c08070707070f0b0b090c110f1212110f111113161c1713141a1511111821181a1d1d1f1f1f13172224221e241c1e1f1effc0000b08\
    000c001001011100ffc4001500010100000000000000000000000000000506ffc4002810000102050301090000000000000000000102030405061121\
    001213072231323341445191b1ffda0008010100003f002e9e84a08f4d6125c29c8f15e849e19895ab808e7dc2c9e5b79364f83bfef4ed2f2219e347\
    67df63f347d290cd2a5b14f904bacaf6b6af548f81aada47a6544c0d5f2baaa164c51387dd71e7620c53aadcb70282ced2adb90b562d6ce35fffd9\
";
const RECOMPRESSED: &str = "\
    0000000c4a584c200d0a870a00000014667479706a786c20000000006a786c20000001076a786c7000000000ff0a583010c6d5c380191c8c00181446\
    f3c01c00b63216ee808d755bea8f0a3a9c08b9729a68292ee93277132aad964b1070dc742c60e6583a7388afd6500d02440d1e76010b01c07acfff66\
    80bb639a148f24e077180fa8cc4afa508ebcf8f2a1c268ae8d8b44f26552b6e61b144dbc33e30ce75088fed17adb2f504abf53b99b879dff99fab022\
    99e10cbc602a24074a0fabc5e6cbc31dcf7330f5707c7c133edcdca427cdb473f1b08b170f2d5ce01589821e6092a170870a4049129c4f79ce281421\
    911ac5f034cde34ecc2b5cfeb3c3c9113375887c172f7298e20898e1212a199c27e2fd9aac3199730e1c183628f704dde6302374687501000000516a\
    6272644171030842cb8000884600848024000000a0f2ff848433ad0000002147a53908a86e1f32cc31cb0cf4d050430efb3fc00f0000000b0880e000\
    104a4649460001010000010001000003000001516a786c7080000001e05b001000f8040a6a0a6a0a6afeff0e00001800080001000000000080802589\
    5488bbb93a02a04caad8037d02001442525050202d8c3178518c513106421c633010c31846c710593178b38d10288328a20000c8794100000f004c00\
    000000008013400c22a692405e952c68d460c75116d4b2b27d2905063d0126a48e4f8a9152075630a129d9a16920691ae5028a8689acb2fc989429ad\
    19101b3c302151cebd8c94822dbe094dc906e9432a81284dfd3020d294f58aa64c61488e80914409896264c9a5144c085a6c4a364800000000000085\
    1448055cabe455778aeab1c7938e6c7bff3b6099e331e506b3da9ed2df80fa370a1720229cd01b931d531f89faad82c06beaafbc748fc8e1bd0d9765\
    f1fe56ed1ca3e20871c17f391c2893ef8e66707e798384fc65810dcdf874e058b0ee5320c5415436ac50fb1dbca69a24950e20d80a\
";

/// And what `djxl` decodes of that.
const RECOMPRESSED_AS_DJXL: &str = "\
    2448423c2631556e65554d608191867431384c3d334950696a605d6b82908b81363bfcfffcff5d5b656d777b7c818c95302affffffff504d5f79908b\
    76738daa4236fffcffff5f5d668198927e7b95b2484356585d686d6b78818a8e8f949fa84d605d5f59637d84897f7c8aa1afaaa051766f68525c839c\
    92827a8daebeb3a1586c756b64718693950102000300b9b05e6168737e8485848903040b0401aac8665a607e9694867d8da4b6a9a89ec4d46a5e6585\
    9d998a8396b7cdc2a7aabfda\
";

/// Coded without loss by `cjxl -d 0`, from these values.
const LOSSLESS: &str = "\
    ff0a583010141702080201007c024b2824c64d414100d4383b0ca1d8b19c1d00781962b4caeae723003f909f4502a889fce20098498490c6a34c10a6\
    2723a3b088e76905a00def3931aeec052813c82cb33124962034863e4d4868348193eb9799d0c49f7d0000eded894ab1625670a2ca202a733d76c4b1\
    7c15708c4933063acca3190072798a8074eefa839b3921faa8502b01c8ae37e30220742e0c8f9ea8cc46844e089962a8c024582013\
";
const VALUES: &str = "\
    264348352734546c68544d61829287742d41463d37415869695f5d6c838f8b813334ffffffff575a636f797c7c808a97392bffffffff584f5f7d908a\
    78768ca94032ffffffff5f56658496907f7c92b046484f5a656a6b6d76828b8f8f949eaa4c61665d57617889897e7c8ba3afaba15370746254618199\
    9581798eaebfb4a0596d736a646e8495950000000000b7ae606067747f8484868f0000000000b7c46658607d9696857c8baabdb7a5a2b8d66c5f6783\
    9b9c8c8392b0c3bdaba9bfdc\
";

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    let pairs = hexadecimal.as_bytes().chunks_exact(2);
    pairs.map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn words(bytes: &[u8]) -> Vec<u16> {
    let pairs = bytes.chunks_exact(2);
    pairs.map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

/// The largest distance of two pictures.
fn distance(one: &[u16], other: &[u16]) -> u16 {
    assert_eq!(one.len(), other.len());
    one.iter()
        .zip(other)
        .map(|(one, other)| one.abs_diff(*other))
        .max()
        .unwrap()
}

#[test]
fn what_was_coded_without_loss_comes_back_exactly() {
    let values: Vec<u16> = bytes(VALUES).into_iter().map(u16::from).collect();
    for syntax in [TransferSyntax::JpegXlLossless, TransferSyntax::JpegXl] {
        let decoded = decode(&bytes(LOSSLESS), syntax, &grey(12, 16, 8, 8)).unwrap();
        assert!(decoded.words == values && !decoded.lossy, "{syntax:?}");
    }
}

#[test]
fn what_was_coded_with_loss_is_as_libjxl_decodes_it() {
    let values: Vec<u16> = bytes(AS_DJXL_8).into_iter().map(u16::from).collect();
    let decoded = decode(&bytes(LOSSY_8), TransferSyntax::JpegXl, &grey(12, 16, 8, 8)).unwrap();
    assert!(decoded.lossy && distance(&decoded.words, &values) <= 1);
    let values = words(&bytes(AS_DJXL_16));
    let decoded = decode(&bytes(LOSSY_16), TransferSyntax::JpegXl, &grey(12, 16, 16, 16)).unwrap();
    let distance = distance(&decoded.words, &values);
    assert!(decoded.lossy && distance <= 16, "{distance} of 65535");
    // Said to be lossless, it contradicts itself.
    for stream in [LOSSY_8, RECOMPRESSED] {
        let decoded = decode(&bytes(stream), TransferSyntax::JpegXlLossless, &grey(12, 16, 8, 8));
        assert_eq!(decoded.err(), Some(IntakeReason::DecodeError));
    }
}

#[test]
fn what_was_recompressed_is_as_libjxl_decodes_it_and_near_the_jpeg_stream_that_it_was() {
    let description = grey(12, 16, 8, 8);
    let decoded = decode(&bytes(RECOMPRESSED), TransferSyntax::JpegXlRecompressed, &description).unwrap();
    let values: Vec<u16> = bytes(RECOMPRESSED_AS_DJXL).into_iter().map(u16::from).collect();
    assert!(decoded.lossy && distance(&decoded.words, &values) <= 1);
    // JPEG XL takes each coefficient from another place in its step than JPEG does: two grey levels at most, here.
    let was = jpeg::decode(&bytes(JPEG), &description).unwrap();
    assert!(distance(&decoded.words, &was.words) <= 2);
    // What it is rebuilt from stood in a box of its own, and is not read.
    assert!(decoded.comment_bytes > 0);
}

proptest! {
    #[test]
    fn no_stream_panics(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        let stream: Vec<u8> = [0xFF, 0x0A].into_iter().chain(tail).collect();
        let _ = decode(&stream, TransferSyntax::JpegXl, &grey(8, 8, 8, 8));
    }

    #[test]
    fn no_damage_panics(place in 0_usize..222, bits in 1_u8..) {
        for (stream, depth) in [(LOSSY_8, 8), (LOSSY_16, 16), (RECOMPRESSED, 8)] {
            let mut stream = bytes(stream);
            stream[place] ^= bits;
            let _ = decode(&stream, TransferSyntax::JpegXl, &grey(12, 16, depth, depth));
        }
    }
}
