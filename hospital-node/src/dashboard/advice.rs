//! What to do about a file that waits, in both languages. English is what the commands say.

use snowball_imaging::remedy;
use snowball_protocol::intake::IntakeReason;
use snowball_web::{Html, Language};

/// What a hospital does about a file that waits for `reason`.
pub fn advice(reason: IntakeReason, language: Language) -> Html {
    Html::text(match language {
        Language::English => remedy(reason),
        Language::French => french(reason),
    })
}

const fn french(reason: IntakeReason) -> &'static str {
    match reason {
        IntakeReason::BurnedInText => {
            "regardez son image ; libérez-le si personne n’y est nommé, sinon écartez-le ou masquez le texte dans le PACS"
        }
        IntakeReason::TextRemains => {
            "un second contrôle a vu du texte dans les pixels qui allaient être conservés, ils ont donc été repris ; regardez son image ; \
             libérez-le si personne n’y est nommé, sinon écartez-le ou masquez le texte dans le PACS"
        }
        IntakeReason::DecodeError => {
            "ses pixels ne se décodent pas : ils sont abîmés, ou d’une forme que cette version laisse de côté, comme JPEG-LS avec \
             marqueurs de reprise ; faites-le renvoyer par le PACS sans compression, en Explicit VR Little Endian (1.2.840.10008.1.2.1)"
        }
        IntakeReason::TransferSyntax => {
            "cette version ne décode pas sa syntaxe de transfert ; faites-le renvoyer par le PACS en Explicit VR Little Endian \
             (1.2.840.10008.1.2.1)"
        }
        IntakeReason::MissingIdentity => {
            "sans patient, examen ou instance, il ne pourrait jamais être retiré ; complétez l’en-tête dans le PACS"
        }
        IntakeReason::UidConflict => {
            "un autre contenu est conservé sous son identité, et les deux ne peuvent être justes ; corrigez-le dans le PACS"
        }
        IntakeReason::Unreadable => {
            "il n’a jamais été lu ; vérifiez que le nœud a le droit de lire le fichier et importez-le à nouveau"
        }
        IntakeReason::IdentifierRemains => {
            "ce qui en avait été écrit contenait encore ce qui ne doit pas y être, c’est donc repris ; prévenez qui maintient ce programme, \
             et écartez-le"
        }
        _ => "ce n’est pas une radiographie que ce nœud peut utiliser",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_has_advice_of_its_own_in_english_has_it_in_french() {
        let other = (remedy(IntakeReason::NotDicom), french(IntakeReason::NotDicom));
        for reason in [
            IntakeReason::BurnedInText,
            IntakeReason::TextRemains,
            IntakeReason::DecodeError,
            IntakeReason::TransferSyntax,
            IntakeReason::MissingIdentity,
            IntakeReason::UidConflict,
            IntakeReason::Unreadable,
            IntakeReason::IdentifierRemains,
            IntakeReason::SopClass,
        ] {
            let (english, french) = (remedy(reason), french(reason));
            assert_eq!(english == other.0, french == other.1, "{reason:?}");
            // Syntaxes are named alike.
            assert_eq!(english.contains("1.2.840"), french.contains("1.2.840"), "{reason:?}");
        }
    }
}
