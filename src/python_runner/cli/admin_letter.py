"""The letter that asks an administrator to let an application send from one mailbox."""

from __future__ import annotations

from python_runner.texts.sentence import N_, Sentence


_SUBJECT = N_("Subject: an application that may send email from {mailbox}")
_WHY = N_(
    "Hello,\n\n"
    "Python Runner runs scripts on {host} and reports on them by email from {mailbox}."
    " Microsoft 365 is switching off passwords for SMTP, so it needs an application that"
    " signs in by itself and may send from this mailbox, from no other, and read nothing."
    " The mailbox may be a shared one; it needs no password and no SMTP AUTH."
)
_REGISTER = N_(
    "1. Microsoft Entra admin center (https://entra.microsoft.com), as Cloud Application"
    " Administrator: App registrations, New registration; name: Python Runner; 'Accounts"
    " in this organizational directory only' ('Single tenant only' on newer screens); no"
    " redirect URI. Then Certificates & secrets: upload a certificate, which Microsoft"
    " recommends, or create a client secret. Please add nothing under 'API permissions':"
    " Mail.Send there would allow it to send as anybody in the organisation."
)
_ALLOW = N_(
    "2. PowerShell, as Exchange Administrator (member of Organization Management). The"
    " object ID is the one shown under Enterprise applications (or 'Managed application"
    " in local directory' on the registration's Overview), not that of the registration:"
)
_APP = N_("Application (client) ID")
_OBJECT = N_("Object ID of the enterprise application")
_SCRIPT = """\
   $app     = '{app}'
   $object  = '{object}'
   $mailbox = '{mailbox}'
   $name    = 'Python Runner'

   Install-Module ExchangeOnlineManagement -Scope CurrentUser
   Connect-ExchangeOnline
   $user = (Get-Mailbox $mailbox).UserPrincipalName
   New-ServicePrincipal -AppId $app -ObjectId $object -DisplayName $name
   New-ManagementScope -Name $name -RecipientRestrictionFilter "UserPrincipalName -eq '$($user -replace "'","''")'"
   New-ManagementRoleAssignment -App $object -Role 'Application Mail.Send' -CustomResourceScope $name
   Test-ServicePrincipalAuthorization -Identity $object -Resource $user | Format-Table RoleName, InScope
   $user"""
_RESULT = N_(
    "   The test must show 'Application Mail.Send' with InScope True, and False for any"
    " other mailbox. If a command asks for Enable-OrganizationCustomization, run that"
    " once. Sending works 30 minutes to 2 hours later."
)
_SEND = N_(
    "3. Please send me, in a safe way: the Directory (tenant) ID, the Application (client)"
    " ID, the sign-in name of the mailbox that the last line of the script printed, and"
    " the value of the secret with the day it expires, or the certificate's thumbprint."
)
_UNDO = N_(
    "To undo it: Remove-ServicePrincipal -Identity $object; Remove-ManagementScope"
    " $name; then delete the registration."
)
_THANKS = N_("Thank you.")


def admin_letter(mailbox: str, host: str, language: str) -> str:
    """Return the letter about a mailbox, for scripts that run on ``host``."""

    def said(template: str) -> str:
        return Sentence.of(template, mailbox=mailbox, host=host).in_language(language)

    # An address may hold quotes: single ones are doubled in PowerShell, and nothing else
    # means anything inside of them.
    names = {"app": said(_APP), "object": said(_OBJECT), "mailbox": mailbox}
    quoted = {name: value.replace("'", "''") for name, value in names.items()}
    parts = (
        said(_SUBJECT),
        said(_WHY),
        said(_REGISTER),
        said(_ALLOW),
        _SCRIPT.format(**quoted),
        said(_RESULT),
        said(_SEND),
        said(_UNDO),
        said(_THANKS),
    )
    return "\n\n".join(parts) + "\n"
