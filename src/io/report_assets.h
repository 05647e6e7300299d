/* io/report_assets.h -- files that the library carries for reports, made at build time by tools/embed.py.
 * Each is followed by a 0 byte that its size does not count. */
#ifndef TCS_IO_REPORT_ASSETS_H
#define TCS_IO_REPORT_ASSETS_H

#include <stddef.h>

extern const unsigned char tcsi_asset_page_html[], tcsi_asset_page_css[], tcsi_asset_page_js[];
extern const unsigned char tcsi_asset_chart_js[], tcsi_asset_episode_js[], tcsi_asset_calibration_js[];
extern const unsigned char tcsi_asset_uplot_iife_min_js[], tcsi_asset_uplot_min_css[];
extern const size_t tcsi_asset_page_html_size, tcsi_asset_page_css_size, tcsi_asset_page_js_size;
extern const size_t tcsi_asset_chart_js_size, tcsi_asset_episode_js_size, tcsi_asset_calibration_js_size;
extern const size_t tcsi_asset_uplot_iife_min_js_size, tcsi_asset_uplot_min_css_size;

#endif
